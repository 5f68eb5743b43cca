"""The supervisor, which runs the processes of the Procfile and restarts them."""
