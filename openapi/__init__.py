"""The description of the API, and what puts the types' schemas into it."""
