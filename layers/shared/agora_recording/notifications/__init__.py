"""Agora's webhook: whose body it is, what it says, where it is kept."""
