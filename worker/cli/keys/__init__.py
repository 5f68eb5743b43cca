"""falhook keys: make, list and revoke keys of the HTTP API."""
