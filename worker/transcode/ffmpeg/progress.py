"""Parsing of ffmpeg's progress reports."""

import time
from collections.abc import Callable
from dataclasses import dataclass

REPORT = 0.5  # seconds between two calls of a progress callback, and between ffmpeg's reports


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """The progress of ffmpeg: fraction done, frames encoded and per second, seconds left."""

    fraction: float
    frames: int = 0
    fps: float = 0.0
    left: float = 0.0


class ProgressParser:
    """Parses `-progress` lines, and calls `report` at most every `REPORT` seconds."""

    def __init__(self, duration: float | None, report: Callable[[Advance], None] | None) -> None:
        self._duration = duration
        self._report = report
        self._seen: dict[str, str] = {}
        self._begun = time.monotonic()
        self._reported = self._done = 0.0

    def line(self, text: str) -> bool:
        """Parse one `key=value` line; return whether it shows progress.

        That is a change of a number that only grows with the work.
        """
        key, _, value = text.partition("=")
        if key not in {"frame", "fps", "out_time_us", "total_size"} or self._seen.get(key) == value:
            return False
        self._seen[key] = value
        if key == "out_time_us" and value.isdecimal():
            self._report_if_due(int(value) / 1e6)
        return key != "fps"

    def _report_if_due(self, done: float) -> None:
        now = time.monotonic()
        if not self._report or not self._duration or now - self._reported < REPORT:
            return
        self._reported = now
        # ffmpeg reports the time of whichever output is behind, so it may decrease.
        self._done = fraction = max(self._done, min(0.99, done / self._duration))
        left = (now - self._begun) * (1 / fraction - 1) if fraction else 0.0
        self._report(
            Advance(
                fraction=fraction,
                frames=int(self._number("frame")),
                fps=self._number("fps"),
                left=left,
            )
        )

    def _number(self, key: str) -> float:
        try:
            return float(self._seen.get(key, ""))
        except ValueError:
            return 0.0
