"""Sample tables (ISO/IEC 14496-12, 8.6 to 8.8), held against the file before a demuxer trusts them.

A demuxer allocates memory and loops by the counts in these tables. Each is therefore compared
with the bytes that would have to back it: 11 kB can otherwise claim 64 Mi samples (4 GB in
ffmpeg), and two frames a day apart can make it fill the gap for hours.
"""

import sys
from array import array
from collections.abc import Mapping
from dataclasses import dataclass

from worker.mp4.boxes import Box, invalid

MAX_SECONDS = 600.0  # of a clip; the longest Kling makes are minutes
MAX_GAP = 10.0  # seconds that one sample may last, or be shifted by
MAX_EDITS = 256  # entries of an edit list
MAX_SAMPLES = 1 << 20  # of all tracks together: 600 s of 60 fps and AAC are 64 Ki


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """What a track holds: number of samples, and how long they last together, in seconds."""

    count: int
    seconds: float


def numbers(body: memoryview, at: int, count: int, kind: str = "I") -> "array[int]":
    """`count` big-endian numbers at this byte; `Permanent` if the box has not room for them."""
    found = array(kind)
    end = at + count * found.itemsize
    if count > MAX_SAMPLES * 4 or end > len(body):
        raise invalid("one of its sample tables claims more entries than it has")
    found.frombytes(body[at:end])
    if sys.byteorder == "little":
        found.byteswap()
    return found


def seconds(ticks: int, timescale: int, *, limit: float, what: str) -> float:
    """Ticks as seconds; `Permanent` if they are more than `limit`, or the clock does not tick."""
    if timescale < 1:
        raise invalid("one of its clocks has no ticks in a second")
    if ticks > limit * timescale:
        raise invalid(f"{what} is longer than {limit:g} s")
    return ticks / timescale


def table(stbl: Box, timescale: int, length: int) -> Samples:
    """Check one track's sample table against a file of `length` bytes, and sum it up."""
    sizes = stbl.need("stsz").body
    each, count = stbl.need("stsz").u32(4), stbl.need("stsz").u32(8)
    bound(count)
    total = each * count if each else sum(numbers(sizes, 12, count))
    if total > length:
        raise invalid("its samples claim more bytes than the file has")
    times = numbers(stbl.need("stts").body, 8, 2 * stbl.need("stts").u32(4))
    counts, deltas = times[::2], times[1::2]
    bound(sum(counts))
    if sum(counts) != count:
        raise invalid("its tables disagree on the number of samples")
    seconds(max(deltas, default=0), timescale, limit=MAX_GAP, what="one of its samples")
    _shifts(stbl.find("ctts"), timescale)
    _chunks(stbl, length, count)
    ticks = sum(n * delta for n, delta in zip(counts, deltas, strict=True))
    lasting = seconds(ticks, timescale, limit=MAX_SECONDS, what="one of its tracks")
    return Samples(count=count, seconds=lasting)


def bound(count: int) -> None:
    """Return if this many samples are within what is read."""
    if count > MAX_SAMPLES:
        raise invalid(f"it claims {count} samples; at most {MAX_SAMPLES} are read")


def _shifts(ctts: Box | None, timescale: int) -> None:
    if ctts is None:
        return
    entries = numbers(ctts.body, 8, 2 * ctts.u32(4), "i")
    bound(sum(max(n, 0) for n in entries[::2]))
    shift = max(map(abs, entries[1::2]), default=0)
    seconds(shift, timescale, limit=MAX_GAP, what="the shift of one of its samples")


def _chunks(stbl: Box, length: int, count: int) -> None:
    """Every chunk begins inside the file, and no run of chunks claims absurd numbers."""
    runs = numbers(stbl.need("stsc").body, 8, 3 * stbl.need("stsc").u32(4))
    bound(max(runs[1::3], default=0))
    wide = stbl.find("co64")
    box = wide or stbl.need("stco")
    offsets = numbers(box.body, 8, box.u32(4), "Q" if wide else "I")
    if count and not (offsets and runs):
        raise invalid("its samples are nowhere in the file")
    if max(offsets, default=0) >= length:
        raise invalid("its samples lie beyond the end of the file")
    if synced := stbl.find("stss"):
        numbers(synced.body, 8, synced.u32(4))


def edited(trak: Box, movie_timescale: int) -> float:
    """How long the edit list shows the track, in seconds; 0 where there is none or it is open."""
    if (elst := trak.find("edts", "elst")) is None:
        return 0.0
    wide = elst.body[0] == 1
    width = 8 if wide else 4
    count, stride = elst.u32(4), 2 * width + 4
    if 8 + count * stride > len(elst.body) or count > MAX_EDITS:
        raise invalid("its edit list claims more entries than it has, or than are read")
    shown = 0
    for at in range(8, 8 + count * stride, stride):
        lasting = int.from_bytes(elst.body[at : at + width])
        media = int.from_bytes(elst.body[at + width : at + 2 * width], signed=True)
        limit = MAX_GAP if media < 0 else MAX_SECONDS
        seconds(lasting, movie_timescale, limit=limit, what="one of its edits")
        shown += lasting if media >= 0 else 0
    return seconds(shown, movie_timescale, limit=MAX_SECONDS, what="its edit list")


class Fragments:
    """Sums up movie fragments (moof), each within the same bounds as a whole table."""

    def __init__(self, moov: Box, timescales: Mapping[int, int]) -> None:
        self._timescales = timescales
        self._defaults = {box.u32(4): box.u32(12) for box in moov.need("mvex").all("trex")}
        self._ticks = dict.fromkeys(timescales, 0)
        self._counts = dict.fromkeys(timescales, 0)
        self._ends = dict.fromkeys(timescales, 0)

    def add(self, moof: Box) -> None:
        """Count one fragment's samples; `Permanent` where they are too many or too far apart."""
        for traf in moof.all("traf"):
            tfhd = traf.need("tfhd")
            track, flags = tfhd.u32(4), tfhd.u32(0)
            if track not in self._timescales:
                raise invalid("one of its fragments belongs to no track")
            at = 8 + 8 * (flags & 1) + 4 * (flags >> 1 & 1)
            default = tfhd.u32(at) if flags & 8 else self._defaults.get(track, 0)
            if tfdt := traf.find("tfdt"):
                self._move(track, int.from_bytes(tfdt.body[4 : 12 if tfdt.body[0] else 8]))
            for trun in traf.all("trun"):
                self._run(track, trun, default)

    def _move(self, track: int, start: int) -> None:
        gap = abs(start - self._ends[track])
        seconds(gap, self._timescales[track], limit=MAX_GAP, what="a gap between its fragments")
        self._ends[track] = start

    def _run(self, track: int, trun: Box, default: int) -> None:
        flags, count = trun.u32(0), trun.u32(4)
        self._counts[track] += count
        bound(sum(self._counts.values()))
        stride = (flags >> 8 & 0xF).bit_count()
        at = 8 + 4 * (flags & 1) + 4 * (flags >> 2 & 1)
        entries = numbers(trun.body, at, count * stride)
        deltas = entries[::stride] if flags & 0x100 else array("I", [default])
        timescale = self._timescales[track]
        seconds(max(deltas, default=0), timescale, limit=MAX_GAP, what="one of its samples")
        ticks = sum(deltas) if flags & 0x100 else default * count
        self._ticks[track] += ticks
        self._ends[track] += ticks
        seconds(self._ticks[track], timescale, limit=MAX_SECONDS, what="one of its tracks")

    def samples(self, track: int) -> Samples:
        """What all fragments so far hold of this track."""
        ticks, timescale = self._ticks[track], self._timescales[track]
        return Samples(count=self._counts[track], seconds=ticks / timescale)
