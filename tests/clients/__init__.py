"""Clients that are generated from the API's description: `make clients`."""
