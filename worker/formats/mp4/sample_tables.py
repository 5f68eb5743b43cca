"""Sample tables (ISO/IEC 14496-12, 8.6 and 8.7), compared with the file before they are trusted.

A demuxer allocates memory and loops by the counts in these tables. Each count is therefore compared
with the bytes that must back it: 11 kB can otherwise claim 64 Mi samples (4 GB in ffmpeg). All
tables must also agree: a file is played only as far as its shortest table goes.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise, repeat
from operator import add, eq, lt

from worker.formats.mp4.bounded_numbers import bound, bounded_seconds, numbers, seconds
from worker.formats.mp4.boxes import Box, invalid
from worker.formats.mp4.chunks import Span, require_complete, sample_bounds, sample_sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """The samples of a track: their number, and their total duration in seconds.

    In ticks of the track's clock: `longest` is the longest duration of one, `times` are their
    composition times, sorted, and `ends` is the end of the last. `stalled`: a sample of a fragment
    is decoded no later than the one before it. `excess`: ticks of the last that are not counted.
    `unseen`: samples without bytes, or without a duration before the last. `size`: bytes of
    those that the movie header lists; `keyed`: the most ticks from a keyframe to the next.
    """

    count: int
    seconds: float
    longest: int
    times: Sequence[int]
    ends: int
    stalled: bool = False
    excess: int = 0
    unseen: int = 0
    size: int = 0
    keyed: int = 0


def indexed_samples(trak: Box) -> int:
    """Return how many samples a demuxer indexes: none of PCM, which it reads in chunks.

    https://github.com/FFmpeg/FFmpeg/blob/n7.1/libavformat/mov.c : mov_build_index.
    """
    stbl = trak.need("mdia", "minf", "stbl")
    sizes, times = sample_sizes(stbl), stbl.need("stts")
    one_tick_each = times.u32(4) == 1 and times.u32(12) == 1 and not stbl.find("ctts")
    is_audio = bytes(trak.need("mdia", "hdlr").body[8:12]) == b"soun"
    return 0 if is_audio and sizes.same and one_tick_each else sizes.number


def read_samples(
    stbl: Box, timescale: int, media: Sequence[Span], length: int, *, excess: int = 0
) -> Samples:
    """Check one track's tables against the media data, and return their totals.

    `length`: bytes of the file. The caller has bounded its number of samples (`indexed_samples`).
    `excess`: ticks of the last sample that are not counted.
    """
    bounds = sample_bounds(stbl)
    count = len(bounds) - 1
    if bounds[-1] > length:
        raise invalid("its samples claim more bytes than the file has")
    times = numbers(stbl.need("stts").body, 8, 2 * stbl.need("stts").u32(4))
    counts, deltas = times[::2], times[1::2]
    if not count:  # ffmpeg states the duration of fragmented PCM here
        counts, deltas = array("I"), array("I")
    if sum(counts) != count:
        raise invalid("its tables disagree on the number of samples")
    shifts = _shifts(stbl.find("ctts"), timescale, count)
    require_complete(stbl, bounds, media, length)
    for kind in ("stss", "stps"):
        _require_numbered(stbl.find(kind), count)
    ticks = sum(n * delta for n, delta in zip(counts, deltas, strict=True))
    if excess:
        ticks, deltas[-1] = ticks - excess, deltas[-1] - excess
    duration = seconds(ticks, timescale)
    composed = _composed(counts, deltas, shifts)
    ends = max(composed[0] + ticks, composed[-1] + deltas[-1]) if composed else 0
    longest = max(deltas, default=0)
    return Samples(
        count=count,
        seconds=duration,
        longest=longest,
        times=composed,
        ends=ends,
        excess=excess,
        unseen=_unseen(bounds, counts, deltas),
        size=bounds[-1],
        keyed=_keyed(stbl.find("stss"), counts, deltas, ticks),
    )


def _keyed(stss: Box | None, counts: Sequence[int], deltas: Sequence[int], ticks: int) -> int:
    """Return the most ticks from one keyframe, or from the beginning, to the next, or the end."""
    if stss is None:  # every sample is one (8.6.2)
        return max(deltas, default=0)
    samples = numbers(stss.body, 8, stss.u32(4))
    if not samples:
        return ticks
    every = chain.from_iterable(map(repeat, deltas, counts))
    decoded = array("q", accumulate(every, initial=0))
    times = [0, *(decoded[sample - 1] for sample in samples), ticks]
    return max(later - earlier for earlier, later in pairwise(times))


def _unseen(bounds: Sequence[int], counts: Sequence[int], deltas: Sequence[int]) -> int:
    """Return how many samples no decoder gets, or no viewer sees: the last may have no duration."""
    empty = 0 if isinstance(bounds, range) else sum(map(eq, bounds, bounds[1:]))
    brief = sum(n for n, delta in zip(counts, deltas, strict=True) if not delta)
    return empty + max(0, brief - (not deltas[-1] if deltas else 0))


def _shifts(ctts: Box | None, timescale: int, count: int) -> Iterable[int] | None:
    """Return each sample's composition offset, or None without a ctts box."""
    if ctts is None:
        return None
    counts = numbers(ctts.body, 8, 2 * ctts.u32(4))[::2]
    shifts = numbers(ctts.body, 8, 2 * ctts.u32(4), "i")[1::2]
    bound(sum(counts))
    largest = max(map(abs, shifts), default=0)
    bounded_seconds(largest, timescale, "the composition offset of one of its samples")
    if sum(counts) != count:
        raise invalid("its tables disagree on the number of samples")
    return chain.from_iterable(map(repeat, shifts, counts))


def _composed(
    counts: Sequence[int], deltas: Sequence[int], shifts: Iterable[int] | None
) -> Sequence[int]:
    if shifts is None and len(counts) == 1 and deltas[0]:
        return range(0, counts[0] * deltas[0], deltas[0])  # PCM: one entry for millions of samples
    every = chain.from_iterable(map(repeat, deltas, counts))
    decoded = array("q", accumulate(every, initial=0))[:-1]
    return decoded if shifts is None else sorted(map(add, decoded, shifts))


def _require_numbered(keyframes: Box | None, count: int) -> None:
    """Raise `MediaError` unless the entries are sample numbers, from 1, in order (stss, stps)."""
    if keyframes is None:
        return
    samples = numbers(keyframes.body, 8, keyframes.u32(4))
    is_sorted = all(map(lt, samples, samples[1:]))
    if samples and not (is_sorted and samples[0] >= 1 and samples[-1] <= count):
        raise invalid("its table of keyframes refers to samples that do not exist")
