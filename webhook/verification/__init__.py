"""Proof that a callback comes from fal and belongs to one of our accounts."""
