"""Loads the catalogue's TOML and JSON files."""
