"""Validation of arguments against an endpoint's inputs and rules."""
