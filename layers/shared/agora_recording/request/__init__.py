"""Checks what a caller asks for: types, rules, all problems of a request at once. Pure."""
