"""The demo behind `make demo`: its jobs, its run and its report."""
