"""Ports of this machine that a server may listen on."""

import random

# Below the ports that Linux (32768 up) and macOS (49152 up) assign to outgoing connections. A
# client that reconnects in a loop while the server is down could otherwise be assigned the
# server's own port, connect to itself and keep the server from starting.
PORTS = range(20_000, 32_768)


def ports_to_try(count: int) -> list[int]:
    """Return `count` different ports in random order; some may be in use."""
    return random.sample(PORTS, count)
