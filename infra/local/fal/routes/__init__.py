"""The HTTP routes of the simulated fal."""
