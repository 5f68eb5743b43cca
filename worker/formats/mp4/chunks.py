"""Where the samples of a track lie (ISO/IEC 14496-12, 8.7.3 to 8.7.5)."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from operator import lt
from typing import NamedTuple

from worker.formats.mp4.bounded_numbers import numbers
from worker.formats.mp4.boxes import Box, Extent, invalid


class Span(NamedTuple):
    """A stretch of media data in the file: its first byte, and the first after it."""

    begins: int
    ends: int


class Chunk(NamedTuple):
    """Samples in one piece: its first byte, its first sample, from 0, and the first after it."""

    begins: int
    first: int
    beyond: int


def spans(extents: Sequence[Extent]) -> tuple[Span, ...]:
    """The media data of a file, in the order of the file."""
    return tuple(
        Span(extent.start + extent.header, extent.start + extent.size)
        for extent in extents
        if extent.kind == "mdat"
    )


def bounds(stbl: Box) -> Sequence[int]:
    """Where each sample would begin were they all in one piece, and where the last would end."""
    stsz = stbl.need("stsz")
    each, count = stsz.u32(4), stsz.u32(8)
    if each:
        return range(0, each * (count + 1), each)
    return tuple(accumulate(numbers(stsz.body, 12, count), initial=0))


def chunks(stbl: Box) -> Iterator[Chunk]:
    """The chunks of a track, in order; `MediaError` where they cannot be told."""
    table = stbl.find("co64") or stbl.need("stco")
    offsets = numbers(table.body, 8, table.u32(4), "Q" if table.kind == "co64" else "I")
    runs = numbers(stbl.need("stsc").body, 8, 3 * stbl.need("stsc").u32(4))
    firsts, each, descriptions = runs[::3], runs[1::3], runs[2::3]
    if not offsets:
        return
    if not runs or firsts[0] != 1 or not all(map(lt, firsts, firsts[1:])) or not min(each):
        raise invalid("its table of chunks is out of order")
    if not 1 <= min(descriptions) <= max(descriptions) <= stbl.need("stsd").u32(4):
        raise invalid("its chunks are of a sample description that it has not")
    sample = 0
    for first, end, many in zip(firsts, [*firsts[1:], len(offsets) + 1], each, strict=True):
        for offset in offsets[first - 1 : end - 1]:
            yield Chunk(offset, sample, sample + many)
            sample += many


def require_whole(stbl: Box, held: Sequence[int], media: Sequence[Span], length: int) -> None:
    """Return if the chunks hold all samples (with these `bounds`), and media data all chunks."""
    count, sample = len(held) - 1, 0
    starts = [span.begins for span in media]
    for begins, first, beyond in chunks(stbl):
        if beyond > count:
            raise invalid("its tables disagree on the number of samples")
        ends, sample = begins + held[beyond] - held[first], beyond
        at = bisect_right(starts, begins) - 1
        if at < 0 or ends > media[at].ends:
            where = "beyond the end of the file" if ends > length else "outside its media data"
            raise invalid(f"its samples lie {where}")
    if count and not sample:
        raise invalid("its samples are nowhere in the file")
    if sample != count:
        raise invalid("its tables disagree on the number of samples")
