"""Sample tables (ISO/IEC 14496-12, 8.6 and 8.7), held against the file before they are trusted.

A demuxer allocates memory and loops by the counts in these tables. Each is therefore compared
with the bytes that would have to back it: 11 kB can otherwise claim 64 Mi samples (4 GB in
ffmpeg). And all of them tell one story: a file whose tables disagree is played as far as the
shortest of them goes.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, repeat
from operator import add, lt

from worker.formats.mp4.bounded_numbers import bound, numbers, seconds, within
from worker.formats.mp4.boxes import Box, invalid
from worker.formats.mp4.chunks import Span, bounds, require_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """What a track holds: how many samples, and how many seconds they last together.

    `longest` is the longest of them, `times` are those at which they are composed, in order, and
    `ends` is when the last of them ends, in ticks of the track's clock. `stalled`: one of a
    fragment is decoded no later than the one before it.
    """

    count: int
    seconds: float
    longest: int
    times: Sequence[int]
    ends: int
    stalled: bool = False


def listed(trak: Box) -> int:
    """How many samples a demuxer lists one by one: none of PCM, which it takes in chunks.

    https://github.com/FFmpeg/FFmpeg/blob/n7.1/libavformat/mov.c : mov_build_index.
    """
    stbl = trak.need("mdia", "minf", "stbl")
    sizes, times = stbl.need("stsz"), stbl.need("stts")
    one_tick_each = times.u32(4) == 1 and times.u32(12) == 1 and not stbl.find("ctts")
    is_sound = bytes(trak.need("mdia", "hdlr").body[8:12]) == b"soun"
    return 0 if is_sound and sizes.u32(4) and one_tick_each else sizes.u32(8)


def table(stbl: Box, timescale: int, media: Sequence[Span], length: int) -> Samples:
    """Check one track's table against the media data of a file of `length` bytes, and sum it up.

    It lists as many samples as are read (`listed`), or is of PCM.
    """
    held = bounds(stbl)
    count = len(held) - 1
    if held[-1] > length:
        raise invalid("its samples claim more bytes than the file has")
    times = numbers(stbl.need("stts").body, 8, 2 * stbl.need("stts").u32(4))
    counts, deltas = times[::2], times[1::2]
    if not count:  # ffmpeg tells in front of fragments of PCM how long these are
        counts, deltas = array("I"), array("I")
    if sum(counts) != count:
        raise invalid("its tables disagree on the number of samples")
    shifts = _shifts(stbl.find("ctts"), timescale, count)
    require_whole(stbl, held, media, length)
    for kind in ("stss", "stps"):
        _require_numbered(stbl.find(kind), count)
    ticks = sum(n * delta for n, delta in zip(counts, deltas, strict=True))
    lasting = seconds(ticks, timescale)
    composed = _composed(counts, deltas, shifts)
    ends = max(composed[0] + ticks, composed[-1] + deltas[-1]) if composed else 0
    longest = max(deltas, default=0)
    return Samples(count=count, seconds=lasting, longest=longest, times=composed, ends=ends)


def _shifts(ctts: Box | None, timescale: int, count: int) -> Iterable[int] | None:
    """From decoding to composition, of each sample; None where these are one."""
    if ctts is None:
        return None
    counts = numbers(ctts.body, 8, 2 * ctts.u32(4))[::2]
    shifts = numbers(ctts.body, 8, 2 * ctts.u32(4), "i")[1::2]
    bound(sum(counts))
    within(max(map(abs, shifts), default=0), timescale, "the shift of one of its samples")
    if sum(counts) != count:
        raise invalid("its tables disagree on the number of samples")
    return chain.from_iterable(map(repeat, shifts, counts))


def _composed(
    counts: Sequence[int], deltas: Sequence[int], shifts: Iterable[int] | None
) -> Sequence[int]:
    if shifts is None and len(counts) == 1 and deltas[0]:
        return range(0, counts[0] * deltas[0], deltas[0])  # of PCM every number is a sample
    every = chain.from_iterable(map(repeat, deltas, counts))
    decoded = array("q", accumulate(every, initial=0))[:-1]
    return decoded if shifts is None else sorted(map(add, decoded, shifts))


def _require_numbered(keyframes: Box | None, count: int) -> None:
    """The entries of stss and stps are numbers of samples, from 1, in order."""
    if keyframes is None:
        return
    found = numbers(keyframes.body, 8, keyframes.u32(4))
    if found and not (all(map(lt, found, found[1:])) and found[0] >= 1 and found[-1] <= count):
        raise invalid("its table of keyframes names samples that it has not")
