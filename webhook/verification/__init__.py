"""Proof that a callback comes from fal and is meant for us."""
