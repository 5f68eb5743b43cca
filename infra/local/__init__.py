"""The whole stack on one machine: embedded Redis, simulated fal, the Procfile's processes."""
