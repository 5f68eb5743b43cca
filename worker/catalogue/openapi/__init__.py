"""Reads fal's OpenAPI description of an endpoint into a catalogue entry."""
