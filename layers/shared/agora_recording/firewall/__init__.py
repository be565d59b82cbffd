"""The firewall: Agora's addresses, the plan, and the targets that it changes."""
