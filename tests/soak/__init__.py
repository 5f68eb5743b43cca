"""Many jobs through the whole stack while its processes are killed: `make soak`."""
