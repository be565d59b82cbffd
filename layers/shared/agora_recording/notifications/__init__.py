"""Agora's webhook: checks, decodes and stores notifications; the facts of a session."""
