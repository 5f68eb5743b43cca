"""The HTTP API: create, follow and continue jobs from any language."""
