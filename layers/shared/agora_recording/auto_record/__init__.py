"""Recordings that start by themselves: rules, who is in which channel, and what follows from it."""
