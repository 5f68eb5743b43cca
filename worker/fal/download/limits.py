"""How much one download may take: bytes, time, connections."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadLimits:
    """The limits of one download, and the clock that they are measured with.

    `deadline` is in seconds. `min_rate` is in bytes per second, measured over each `window` seconds
    of waiting for the peer. `tries` is the number of connections; the pause between two of them
    begins at `pause` seconds and doubles.
    """

    max_bytes: int
    deadline: float = 600.0
    min_rate: float = 32 * 1024
    window: float = 15.0
    tries: int = 5
    pause: float = 0.5
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
