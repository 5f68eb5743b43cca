"""The byte ranges of a track's samples (ISO/IEC 14496-12, 8.7.3 to 8.7.5)."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from operator import lt
from typing import NamedTuple

from worker.formats.mp4.bounded_numbers import numbers
from worker.formats.mp4.boxes import Box, Extent, invalid


class Span(NamedTuple):
    """A range of media data in the file: its first byte, and the first after it."""

    begins: int
    ends: int


class Chunk(NamedTuple):
    """Consecutive samples: their first byte, the first sample (from 0), and the one after them."""

    begins: int
    first: int
    beyond: int


def spans(extents: Sequence[Extent]) -> tuple[Span, ...]:
    """Return the media data of a file, in file order."""
    return tuple(
        Span(extent.start + extent.header, extent.start + extent.size)
        for extent in extents
        if extent.kind == "mdat"
    )


def sample_bounds(stbl: Box) -> Sequence[int]:
    """Return each sample's offset if all were stored in one piece, and the end of the last."""
    stsz = stbl.need("stsz")
    size, count = stsz.u32(4), stsz.u32(8)
    if size:
        return range(0, size * (count + 1), size)
    return tuple(accumulate(numbers(stsz.body, 12, count), initial=0))


def chunks(stbl: Box) -> Iterator[Chunk]:
    """Yield the chunks of a track, in order; `MediaError` if its tables are inconsistent."""
    table = stbl.find("co64") or stbl.need("stco")
    offsets = numbers(table.body, 8, table.u32(4), "Q" if table.kind == "co64" else "I")
    runs = numbers(stbl.need("stsc").body, 8, 3 * stbl.need("stsc").u32(4))
    firsts, counts, descriptions = runs[::3], runs[1::3], runs[2::3]
    if not offsets:
        return
    if not runs or firsts[0] != 1 or not all(map(lt, firsts, firsts[1:])) or not min(counts):
        raise invalid("its table of chunks is out of order")
    if not 1 <= min(descriptions) <= max(descriptions) <= stbl.need("stsd").u32(4):
        raise invalid("its chunks refer to a sample description that does not exist")
    sample = 0
    for first, end, count in zip(firsts, [*firsts[1:], len(offsets) + 1], counts, strict=True):
        for offset in offsets[first - 1 : end - 1]:
            yield Chunk(offset, sample, sample + count)
            sample += count


def require_complete(stbl: Box, bounds: Sequence[int], media: Sequence[Span], length: int) -> None:
    """Raise `MediaError` unless the chunks hold all samples and the media data all chunks.

    `bounds` are those of `sample_bounds`, `length` is that of the file.
    """
    count, sample = len(bounds) - 1, 0
    starts = [span.begins for span in media]
    for begins, first, beyond in chunks(stbl):
        if beyond > count:
            raise invalid("its tables disagree on the number of samples")
        ends, sample = begins + bounds[beyond] - bounds[first], beyond
        at = bisect_right(starts, begins) - 1
        if at < 0 or ends > media[at].ends:
            where = "beyond the end of the file" if ends > length else "outside its media data"
            raise invalid(f"its samples are {where}")
    if count and not sample:
        raise invalid("it has samples, but no chunks")
    if sample != count:
        raise invalid("its tables disagree on the number of samples")
