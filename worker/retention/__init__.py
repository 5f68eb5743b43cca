"""What is kept of ended jobs, where, and for how long."""
