"""What a caller may ask for: types, rules, and every problem of a request at once. Pure."""
