"""Faults that really strike: processes killed, sockets cut, Redis killed and brought back."""
