"""Faults in real processes: kills, cut sockets, and Redis killed and restarted."""
