"""Signed callbacks and their retries."""
