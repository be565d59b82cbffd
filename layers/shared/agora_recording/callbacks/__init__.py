"""Calls to the app, by Standard Webhooks: what they say, where they may go, how they are sent."""
