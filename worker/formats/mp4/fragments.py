"""The samples of movie fragments (ISO/IEC 14496-12, 8.8), within the limits of sample tables."""

from array import array
from collections.abc import Iterable, Mapping
from fractions import Fraction
from itertools import accumulate, chain, repeat
from operator import add

from worker.formats.mp4.bounded_numbers import bound, bounded_seconds, numbers, seconds
from worker.formats.mp4.boxes import Box, invalid
from worker.formats.mp4.sample_tables import Samples


class Fragments:
    """A running total of movie fragments (moof), by track ID.

    Times count from where the first fragment begins: live encoders count from 1970. If the movie
    header has samples, fragments continue them (`is_continued`), and times count from 0.
    """

    def __init__(self, moov: Box, timescales: Mapping[int, int], *, is_continued: bool) -> None:
        self._timescales = timescales
        self._defaults = {box.u32(4): box.u32(12) for box in moov.need("mvex").all("trex")}
        self._ticks = dict.fromkeys(timescales, 0)
        self._counts = dict.fromkeys(timescales, 0)
        self._ends = dict.fromkeys(timescales, 0)
        self._times = {track: array("q") for track in timescales}
        # Decoding time of the last sample so far.
        self._last: dict[int, int | None] = dict.fromkeys(timescales)
        self._origin: Fraction | None = Fraction(0) if is_continued else None  # in seconds
        self._first = dict.fromkeys(timescales, 0)  # decoding time of the first sample
        self._longest = dict.fromkeys(timescales, 0)
        self._stalled: set[int] = set()

    def add(self, moof: Box) -> None:
        """Add one fragment's samples; `MediaError` if they are too many, or too far apart."""
        if self._origin is None:
            self._origin = self._begin(moof)
        for traf in moof.all("traf"):
            tfhd = traf.need("tfhd")
            track, flags = tfhd.u32(4), tfhd.u32(0)
            if track not in self._timescales:
                raise invalid("one of its fragments refers to a track that does not exist")
            at = 8 + 8 * (flags & 1) + 4 * (flags >> 1 & 1)
            default = tfhd.u32(at) if flags & 8 else self._defaults.get(track, 0)
            if tfdt := traf.find("tfdt"):
                self._move(track, _time(tfdt))
            for trun in traf.all("trun"):
                self._run(track, trun, default)

    def _begin(self, moof: Box) -> Fraction:
        """Return the second at which the first track of a fragment begins."""
        times = [
            Fraction(_time(tfdt), timescale)
            for traf in moof.all("traf")
            if (tfdt := traf.find("tfdt"))
            and (timescale := self._timescales.get(traf.need("tfhd").u32(4)))
        ]
        return min(times, default=Fraction(0))

    @property
    def count(self) -> int:
        """The number of samples so far, of all tracks."""
        return sum(self._counts.values())

    def _move(self, track: int, time: int) -> None:
        timescale = self._timescales[track]
        seconds(time, timescale)
        start = time - round((self._origin or 0) * timescale)
        gap = abs(start - self._ends[track])
        bounded_seconds(gap, timescale, "a gap between its fragments")
        if not self._counts[track]:
            self._first[track] = start
        # The last sample lasts until then, whatever its run claims.
        if self._last[track] is not None:
            self._ticks[track] += max(0, start - self._ends[track])
        self._ends[track] = start

    def _run(self, track: int, trun: Box, default: int) -> None:
        flags, count = trun.u32(0), trun.u32(4)
        self._counts[track] += count
        bound(self.count)
        stride = (flags >> 8 & 0xF).bit_count()
        at = 8 + 4 * (flags & 1) + 4 * (flags >> 2 & 1)
        entries = numbers(trun.body, at, count * stride)
        deltas = entries[::stride] if flags & 0x100 else array("I", [default])
        ticks = sum(deltas) if flags & 0x100 else default * count
        self._ticks[track] += ticks
        decoded = accumulate(
            deltas if flags & 0x100 else repeat(default, count), initial=self._ends[track]
        )
        self._times[track].extend(map(add, decoded, self._shifts(trun, at, track)))
        self._longest[track] = max(self._longest[track], *deltas, 0)
        last = self._last[track]
        if last is not None and self._ends[track] <= last:
            self._stalled.add(track)
        self._ends[track] += ticks
        self._last[track] = self._ends[track] - (deltas[-1] if deltas else 0)

    def _shifts(self, trun: Box, at: int, track: int) -> Iterable[int]:
        """Return the composition offset of each sample of a run."""
        flags, count = trun.u32(0), trun.u32(4)
        if not flags & 0x800:
            return repeat(0, count)
        stride, column = (flags >> 8 & 0xF).bit_count(), (flags >> 8 & 0x7).bit_count()
        shifts = numbers(trun.body, at, count * stride, "i")[column::stride]
        shift = max(map(abs, shifts), default=0)
        what = "the composition offset of one of its samples"
        bounded_seconds(shift, self._timescales[track], what)
        return shifts

    def joined(self, track: int, listed: Samples) -> Samples:
        """Return one track's samples of the movie header and of all fragments so far."""
        times = sorted(chain(listed.times, self._times[track]))
        shift = times[0] - self._first[track] if times else 0
        return Samples(
            count=listed.count + self._counts[track],
            longest=max(listed.longest, self._longest[track]),
            seconds=listed.seconds + seconds(self._ticks[track], self._timescales[track]),
            times=times,
            ends=max(listed.ends, self._ends[track] + shift),
            stalled=track in self._stalled,
        )


def _time(tfdt: Box) -> int:
    return int.from_bytes(tfdt.body[4 : 12 if tfdt.body[0] else 8])
