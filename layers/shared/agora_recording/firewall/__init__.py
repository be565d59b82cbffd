"""The firewall: Agora's addresses, the plan, and the places it is carried out in."""
