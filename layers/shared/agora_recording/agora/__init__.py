"""Agora's REST API: request bodies, answers and their meaning, the client, the rate limit."""
