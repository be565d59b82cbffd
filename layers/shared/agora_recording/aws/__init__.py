"""AWS: clients, rows, leases, secrets, sealed values, signed addresses."""
