"""How long a clip may be: what is handled, what may be meant so, and what is an attack.

A frame may last as long as the clip: no filter and no encoder of ours fills a gap beyond that.
"""

from collections.abc import Iterable

from worker.formats.mp4.bounded_numbers import MAX_SECONDS
from worker.formats.mp4.boxes import invalid, unhandled
from worker.formats.mp4.edit_lists import PresentedRange
from worker.formats.mp4.sample_tables import Samples

_LONGEST = 6 * 3600  # seconds of what may be meant so
_ALIKE = (0.9, 1.1)  # what a header claims of what is there, where it tells the truth


def require_length(held: Samples, timescale: int, claimed: float) -> None:
    """Return if a track's samples last no longer than is handled, with all gaps between them.

    Raises `UnsupportedMedia` where they do and its header claims the same, or nothing, else
    `MediaError`.
    """
    first = held.times[0] if held.times else 0
    lasting = max(held.seconds, (held.ends - first) / timescale)
    if lasting <= MAX_SECONDS:
        return
    if claimed and not _ALIKE[0] <= claimed / lasting <= _ALIKE[1]:
        raise invalid(f"its samples are longer than {MAX_SECONDS:g} s, and longer than it claims")
    if lasting > _LONGEST:
        raise invalid(f"it claims to be {lasting:.0f} s long")
    raise unhandled(f"it is {lasting:.0f} s long; at most {MAX_SECONDS:g} s are handled")


def require_shown(claimed: float, tracks: Iterable[PresentedRange]) -> None:
    """Return if the movie claims no more seconds than are handled, and shows no more of any track.

    Raises `MediaError` for the one, `UnsupportedMedia` for the other, which repeats itself.
    """
    if claimed > MAX_SECONDS:
        raise invalid(f"it claims to be longer than {MAX_SECONDS:g} s, and its samples are not")
    if any(track.seconds > MAX_SECONDS for track in tracks):
        raise unhandled(f"its edit list shows more than {MAX_SECONDS:g} s")
