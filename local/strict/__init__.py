"""What AWS enforces and MiniStack does not: enforced in the embedded run, too."""
