"""Limits on the length of a clip: what is supported, what is honest but too long, what is hostile.

A frame may last as long as the clip: no filter and no encoder of ours fills a gap beyond that.
"""

from collections.abc import Iterable

from worker.formats.mp4.bounded_numbers import MAX_SECONDS
from worker.formats.mp4.boxes import invalid, unsupported
from worker.formats.mp4.edit_lists import PresentedRange
from worker.formats.mp4.sample_tables import Samples

_LONGEST_HONEST = 6 * 3600  # seconds
_HONEST_RATIO = (0.9, 1.1)  # of the duration in a header to that of the samples


def require_length(samples: Samples, timescale: int, claimed: float) -> None:
    """Raise if a track's samples, with all gaps between them, last longer than is supported.

    Raises `UnsupportedMedia` if its header claims the same duration, or none, else `MediaError`.
    """
    first = samples.times[0] if samples.times else 0
    duration = max(samples.seconds, (samples.ends - first) / timescale)
    if duration <= MAX_SECONDS:
        return
    if claimed and not _HONEST_RATIO[0] <= claimed / duration <= _HONEST_RATIO[1]:
        raise invalid(f"its samples last longer than {MAX_SECONDS:g} s; its header claims less")
    if duration > _LONGEST_HONEST:
        raise invalid(f"it claims to be {duration:.0f} s long")
    raise unsupported(f"it is {duration:.0f} s long; at most {MAX_SECONDS:g} s are supported")


def require_shown(claimed: float, tracks: Iterable[PresentedRange]) -> None:
    """Raise if the movie claims, or an edit list shows, more seconds than are supported.

    Raises `MediaError` for the claim; `UnsupportedMedia` for an edit list, which repeats samples.
    """
    if claimed > MAX_SECONDS:
        raise invalid(f"it claims to be longer than {MAX_SECONDS:g} s, and its samples are not")
    if any(track.seconds > MAX_SECONDS for track in tracks):
        raise unsupported(f"its edit list shows more than {MAX_SECONDS:g} s")
