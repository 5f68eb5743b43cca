"""Runs the Procfile's processes and restarts them."""
