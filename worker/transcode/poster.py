"""The moment of a clip that its stills show: one at which there is something to see.

Clips often begin with a fade from black, a flash or a flat colour. So a tiny picture of the moment
is looked at, and if it is black, white or flat, later moments are tried.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Self

from worker.formats.mp4 import ProbeResult
from worker.transcode.choices import AUTOMATIC_POSTER
from worker.types import Json

_DARKEST, _LIGHTEST = 16, 235  # mean lightness of a picture, 0 to 255, that is not black or white
_FLATTEST = 8  # standard deviation of the lightness of a picture that is not flat
_LATER = (0.3, 0.5, 0.7, 0.9)  # shares of the clip that are tried after the first moment
_SHORTEST = 0.001  # seconds before the clip's end: its last frame
# The metadata key with which a job requests another moment than the setting's.
POSTER_KEY = "falhook.poster_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class PosterTime:
    """When a poster is taken: after `seconds`, or at this `share` of the clip.

    With neither, it is taken after a second, or later if that shows nothing.
    """

    seconds: float | None = None
    share: float | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse "auto", seconds ("2.5") or percent ("50%"). Raises ValueError, which says so."""
        value = text.strip()
        if value == AUTOMATIC_POSTER:
            return cls()
        try:
            number = float(value.removesuffix("%"))
        except ValueError:
            number = -1.0
        if value.endswith("%") and 0 <= number <= 100:  # noqa: PLR2004
            return cls(share=number / 100)
        if not value.endswith("%") and 0 <= number < float("inf"):
            return cls(seconds=number)
        raise ValueError(
            f"{text[:60]!r} is not a moment: use seconds such as 2.5, a share such as 50%,"
            f" or {AUTOMATIC_POSTER}"
        )

    def of(self, source: ProbeResult) -> float | None:
        """Return the moment in seconds of the picture, within the clip; None if automatic."""
        if self.seconds is None and self.share is None:
            return None
        share = (self.share or 0.0) * source.duration
        return min(share if self.seconds is None else self.seconds, last_moment(source))


AUTO_POSTER = PosterTime()


def last_moment(source: ProbeResult) -> float:
    """Return the latest second of the picture at which a frame is shown."""
    return max(0.0, source.duration - _SHORTEST)


def later_moments(source: ProbeResult) -> tuple[float, ...]:
    """Return the seconds of the picture that are tried if the first moment shows nothing."""
    return tuple(share * source.duration for share in _LATER)


def shows_something(pixels: bytes) -> bool:
    """Return whether a picture, one byte of lightness a pixel, is not black, white or flat."""
    if not pixels:
        return False
    return _DARKEST <= fmean(pixels) <= _LIGHTEST and pstdev(pixels) > _FLATTEST


def requested_poster(metadata: Mapping[str, Json]) -> PosterTime | None:
    """Return the moment that a job's metadata requests. Raises ValueError if it is not one."""
    match metadata.get(POSTER_KEY):
        case None:
            return None
        case str(text):
            return PosterTime.parse(text)
        case int() | float() as seconds if not isinstance(seconds, bool):
            return PosterTime.parse(str(seconds))
        case other:
            raise ValueError(f"must be seconds or a string, not {type(other).__name__}")
