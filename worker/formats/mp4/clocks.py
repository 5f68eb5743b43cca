"""The clocks of movie and media headers (ISO/IEC 14496-12, 8.2.2 and 8.4.2)."""

from typing import NamedTuple

from worker.formats.mp4.boxes import Box

_FIELDS = {False: (12, 4), True: (20, 8)}  # offset of the clock, bytes of a duration


class Clock(NamedTuple):
    """Ticks per second, and a duration in ticks (0: unknown)."""

    timescale: int
    ticks: int

    def write(self, header: Box, ticks: int) -> None:
        """Write another duration to the header, whose body must be writable."""
        at, width = _FIELDS[header.body[0] == 1]
        header.body[at + 4 : at + 4 + width] = ticks.to_bytes(width)


def clock_of(header: Box) -> Clock:
    """Return the clock of an mvhd or mdhd box."""
    at, width = _FIELDS[header.body[0] == 1]
    ticks = int.from_bytes(header.body[at + 4 : at + 4 + width])
    return Clock(header.u32(at), 0 if ticks == (1 << 8 * width) - 1 else ticks)
