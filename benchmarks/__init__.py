"""What the bundle costs and how far it carries, measured. `python -m benchmarks`."""
