"""Time as fal lives it, which may run faster than the time on the wall."""

import asyncio
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Fal's time: `speed` of its seconds pass in one real second.

    Signatures and everything a client measures by itself keep to real time.
    """

    speed: float = 1.0

    def now(self) -> float:
        """Return fal's seconds since an arbitrary moment; never goes backwards."""
        return time.monotonic() * self.speed

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of fal's time."""
        await asyncio.sleep(max(seconds, 0) / self.speed)
