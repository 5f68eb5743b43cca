"""Validates arguments against an endpoint's inputs."""
