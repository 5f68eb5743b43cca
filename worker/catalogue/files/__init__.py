"""The catalogue's TOML and JSON files: reading, validation and the endpoints they declare."""
