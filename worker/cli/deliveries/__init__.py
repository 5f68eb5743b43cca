"""falhook deliveries: what receivers were told, and what they answered."""
