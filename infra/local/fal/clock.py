"""The clock of the simulated fal, which may run faster than real time."""

import asyncio
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Fal's time: `speed` seconds of it pass in one real second.

    Signatures, and everything that a client measures itself, use real time.
    """

    speed: float = 1.0

    def now(self) -> float:
        """Return fal's time in seconds since an arbitrary moment; it never decreases."""
        return time.monotonic() * self.speed

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of fal's time."""
        await asyncio.sleep(max(seconds, 0) / self.speed)
