"""Converts fal's OpenAPI description of an endpoint into an entry of the catalogue."""
