"""The loudness that published sound is given: a setting, which a job can replace."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from worker.transcode.choices import LOUDEST, LOUDNESS_OFF, QUIETEST
from worker.types import Json

# The metadata key with which a job requests another loudness than the setting's.
LOUDNESS_KEY = "falhook.loudness"


@dataclass(frozen=True, slots=True)
class LoudnessTarget:
    """The integrated loudness of published sound in LUFS; None leaves it as fal made it."""

    lufs: float | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse LUFS ("-14") or "off". Raises ValueError, which says so."""
        value = text.strip()
        if value == LOUDNESS_OFF:
            return cls()
        try:
            number = float(value)
        except ValueError:
            number = 0.0
        if QUIETEST <= number <= LOUDEST:
            return cls(number)
        raise ValueError(
            f"{text[:60]!r} is not a loudness: use LUFS from {QUIETEST:g} to {LOUDEST:g}, such as"
            f" -14, or {LOUDNESS_OFF}"
        )


NO_TARGET = LoudnessTarget()


def requested_loudness(metadata: Mapping[str, Json]) -> LoudnessTarget | None:
    """Return the loudness that a job's metadata requests. Raises ValueError if it is not one."""
    match metadata.get(LOUDNESS_KEY):
        case None:
            return None
        case str(text):
            return LoudnessTarget.parse(text)
        case int() | float() as lufs if not isinstance(lufs, bool):
            return LoudnessTarget.parse(str(lufs))
        case other:
            raise ValueError(f"must be LUFS or a string, not {type(other).__name__}")
