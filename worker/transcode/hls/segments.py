"""The segments of a fragmented MP4, as its own headers say: where each lies, how long it lasts."""

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from worker.formats.mp4 import ProbeResult
from worker.formats.mp4.boxes import Extent, Walk, invalid
from worker.transcode.hls.fragment import Fragment, fragment, is_independent
from worker.transcode.hls.movie_header import Movie, movie

_DESCRIPTIVE = frozenset({"uuid", "free", "skip"})
_MAX_GAP = 0.1  # seconds between two fragments
_EARLY = 0.001  # by which a keyframe may be sooner than asked: clocks round


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Bytes of a file that show some seconds of video and sound.

    `independent`: it begins with an IDR picture, so that nothing in it needs what came before.
    """

    start: int
    size: int
    seconds: float
    independent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmented:
    """A fragmented MP4: its codecs (RFC 6381), frames, and segments, which follow each other.

    `size` is that of its picture as it is shown, in square pixels. The picture lasts `lasting`
    seconds, of which an edit list hides the first `hidden`.
    """

    codecs: str
    size: tuple[int, int]
    frames: int
    lasting: float
    hidden: float
    segments: tuple[Segment, ...]

    @property
    def seconds(self) -> float:
        """All segments together."""
        return sum(segment.seconds for segment in self.segments)


def segmented(path: Path, seconds: float, held: ProbeResult) -> Segmented:
    """What the headers of the file at `path` say, in segments that begin every so many `seconds`.

    More exactly with the first fragment from then on: so they begin together in all renditions
    that have keyframes there, whatever other keyframes these have. They are of the video `held`,
    and last as long as its picture or its sound is there: the first from when one of them begins,
    the last until both have ended.

    Raises `Permanent` (media_invalid) where it is no H.264 in fragments that follow each other.
    """
    with path.open("rb") as file:
        try:
            return _segmented(file, path.stat().st_size, seconds, held)
        except (struct.error, IndexError) as error:
            raise invalid("a box is shorter than the fields it must hold") from error


def _segmented(file: BinaryIO, length: int, seconds: float, of: ProbeResult) -> Segmented:
    walk = Walk()
    extents = list(walk.extents(file, length))
    at = next((at for at, extent in enumerate(extents) if extent.kind == "moov"), None)
    if at is None:
        raise invalid("it has no movie header ('moov' box)")
    held = movie(walk.load(file, extents[at]), walk)
    while at + 1 < len(extents) and extents[at + 1].kind in _DESCRIPTIVE:
        at += 1
    parted = list(_parted(extents[at + 1 :]))
    if not parted:
        raise invalid("it has no fragments")
    fragments = [fragment(walk.load(file, head), head.start, held) for _, head in parted]
    begins = _begins(fragments, held, of)
    starts = [*(parts[0].start for parts, _ in parted), extents[-1].start + extents[-1].size]
    chosen = [*_chosen(begins, seconds), len(fragments)]
    segments = tuple(
        Segment(
            start=starts[one],
            size=starts[following] - starts[one],
            seconds=begins[following] - begins[one],
            independent=is_independent(file, fragments[one], held.prefix),
        )
        for one, following in pairwise(chosen)
    )
    frames = sum(each.frames for each in fragments)
    first, ends = fragments[0].first, max(each.ends for each in fragments)
    return Segmented(
        codecs=held.codecs,
        size=held.size,
        frames=frames,
        lasting=(ends - first) / held.timescale,
        hidden=max(0.0, (held.shown_from - first) / held.timescale),
        segments=segments,
    )


def _parted(extents: Sequence[Extent]) -> Iterator[tuple[list[Extent], Extent]]:
    """The boxes of each fragment, of which media data is the last, and its header among them."""
    parts: list[Extent] = []
    for extent in extents:
        parts.append(extent)
        if extent.kind == "mdat":
            heads = [part for part in parts if part.kind == "moof"]
            if len(heads) != 1:
                raise invalid("its media data has not one header for each fragment")
            yield parts, heads[0]
            parts = []


def _begins(fragments: Sequence[Fragment], held: Movie, of: ProbeResult) -> list[float]:
    """Seconds from the start when the keyframe of each is shown, and when all is over.

    The first fragment begins with the sound, where that is there before the picture.
    """
    for one, following in pairwise(fragments):
        gap = following.decoded - one.decoded - one.lasting
        if abs(gap) > _MAX_GAP * held.timescale or following.first <= one.first:
            raise invalid("its fragments do not follow each other")
    late = max(0.0, of.lead)
    later = [late + (each.first - fragments[0].first) / held.timescale for each in fragments[1:]]
    last = late + (fragments[-1].last + 1 - fragments[0].first) / held.timescale
    return [0.0, *later, max(last, of.over)]


def _chosen(begins: Sequence[float], seconds: float) -> Iterator[int]:
    """The numbers of the fragments with which segments begin; `begins` ends with the clip's end."""
    due = 0.0
    for number, begin in enumerate(begins[:-1]):
        if begin >= due - _EARLY:
            yield number
            due = seconds * (math.floor((begin + _EARLY) / seconds) + 1)
