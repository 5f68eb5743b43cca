"""uvicorn with bounds on everything a peer can send, hold open or wait for."""
