"""Ports of this machine on which a server may listen."""

from __future__ import annotations

import random

# Below the ports that Linux (32768 up) and macOS (49152 up) hand out to outgoing connections: a
# client that reconnects in a loop while the server is down could otherwise be given that very
# port, connect to itself and keep the server from coming back.
PORTS = range(20_000, 32_768)


def ports_to_try(count: int) -> list[int]:
    """Return so many different ports, each of which may be taken, in random order."""
    return random.sample(PORTS, count)
