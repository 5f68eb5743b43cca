"""The receiver: the public door at which fal's callbacks arrive."""
