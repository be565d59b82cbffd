"""Agora's REST API: its bodies and answers, what they mean, the client and its pace."""
