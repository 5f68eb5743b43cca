"""uvicorn with limits on everything that a peer may send, keep open or wait for."""
