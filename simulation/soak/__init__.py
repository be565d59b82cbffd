"""The soak: the embedded stack under bad weather, with many recordings at a time, for minutes."""
