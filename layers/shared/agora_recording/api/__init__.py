"""The HTTP API: what each call takes, does and answers. Rooms of `functions/` call it."""
