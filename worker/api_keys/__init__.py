"""API keys: who may use the HTTP API, for which tenant and for what, and until when."""
