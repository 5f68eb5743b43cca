"""The callbacks of the simulated fal: their schedule, signatures and deliveries."""
