"""Movie fragments (ISO/IEC 14496-12, 8.8), each within the same bounds as a whole table."""

from array import array
from collections.abc import Iterable, Mapping
from itertools import accumulate, chain, repeat
from operator import add

from worker.formats.mp4.bounded_numbers import bound, numbers, seconds, within
from worker.formats.mp4.boxes import Box, invalid
from worker.formats.mp4.sample_tables import Samples


class Fragments:
    """Sums up movie fragments (moof), each within the same bounds as a whole table."""

    def __init__(self, moov: Box, timescales: Mapping[int, int]) -> None:
        self._timescales = timescales
        self._defaults = {box.u32(4): box.u32(12) for box in moov.need("mvex").all("trex")}
        self._ticks = dict.fromkeys(timescales, 0)
        self._counts = dict.fromkeys(timescales, 0)
        self._ends = dict.fromkeys(timescales, 0)
        self._times = {track: array("q") for track in timescales}
        self._last = dict.fromkeys(timescales, -1)  # when the last sample so far is decoded
        self._longest = dict.fromkeys(timescales, 0)
        self._stalled: set[int] = set()

    def add(self, moof: Box) -> None:
        """Count one fragment's samples; `MediaError` where they are too many, or far apart."""
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

    @property
    def count(self) -> int:
        """Samples of all tracks so far."""
        return sum(self._counts.values())

    def _move(self, track: int, start: int) -> None:
        gap = abs(start - self._ends[track])
        within(gap, self._timescales[track], "a gap between its fragments")
        if self._last[track] >= 0:  # the last sample lasts until then, whatever is said of it
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
        if self._ends[track] <= self._last[track]:
            self._stalled.add(track)
        self._ends[track] += ticks
        self._last[track] = self._ends[track] - (deltas[-1] if deltas else 0)

    def _shifts(self, trun: Box, at: int, track: int) -> Iterable[int]:
        """From decoding to composition, of each sample of a run."""
        flags, count = trun.u32(0), trun.u32(4)
        if not flags & 0x800:
            return repeat(0, count)
        stride, column = (flags >> 8 & 0xF).bit_count(), (flags >> 8 & 0x7).bit_count()
        shifts = numbers(trun.body, at, count * stride, "i")[column::stride]
        shift = max(map(abs, shifts), default=0)
        within(shift, self._timescales[track], "the shift of one of its samples")
        return shifts

    def joined(self, track: int, held: Samples) -> Samples:
        """These samples of the movie header, and all of the fragments so far, of one track."""
        times = sorted(chain(held.times, self._times[track]))
        return Samples(
            count=held.count + self._counts[track],
            longest=max(held.longest, self._longest[track]),
            seconds=held.seconds + seconds(self._ticks[track], self._timescales[track]),
            times=times,
            ends=max(held.ends, self._ends[track] + (times[0] if times else 0)),
            stalled=track in self._stalled,
        )
