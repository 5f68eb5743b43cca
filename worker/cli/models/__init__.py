"""falhook models: list endpoints, show one, add your own."""
