"""The byte ranges of a track's samples (ISO/IEC 14496-12, 8.7.3 to 8.7.5)."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, islice
from operator import lt
from typing import NamedTuple

from worker.formats.mp4.bounded_numbers import numbers
from worker.formats.mp4.boxes import Box, Extent, invalid

_HALF_BYTE = 4  # bits
_ENTRIES = {8: "B", 16: "H", 32: "I"}  # types of arrays, by bits of an entry


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


class SampleSizes(NamedTuple):
    """The sizes of a track's samples: the same for all, or (0) one for each in `table`."""

    same: int
    number: int
    table: Box
    bits: int  # of each entry

    def bounds(self) -> Sequence[int]:
        """Return each sample's offset if all were stored in one piece, and the end of the last."""
        if self.same:
            return range(0, self.same * (self.number + 1), self.same)
        return tuple(accumulate(self._each(), initial=0))

    def _each(self) -> Iterable[int]:
        if self.bits != _HALF_BYTE:
            return numbers(self.table.body, 12, self.number, _ENTRIES[self.bits])
        pairs = numbers(self.table.body, 12, (self.number + 1) // 2, "B")
        return islice((half for pair in pairs for half in (pair >> 4, pair & 15)), self.number)


def sample_sizes(stbl: Box) -> SampleSizes:
    """Return the sizes of a track's samples, from either kind of table (8.7.3).

    Raises `MediaError` if there is no table, or one with entries of another size.
    """
    if stsz := stbl.find("stsz"):
        return SampleSizes(stsz.u32(4), stsz.u32(8), stsz, 32)
    stz2 = stbl.find("stz2") or stbl.need("stsz")
    bits = stz2.u32(4) & 0xFF
    if bits not in {_HALF_BYTE, *_ENTRIES}:
        raise invalid(f"its 'stz2' box has entries of {bits} bits, which is not allowed")
    return SampleSizes(0, stz2.u32(8), stz2, bits)


def sample_bounds(stbl: Box) -> Sequence[int]:
    """Return each sample's offset if all were stored in one piece, and the end of the last."""
    return sample_sizes(stbl).bounds()


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
