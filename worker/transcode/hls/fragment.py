"""One movie fragment (ISO/IEC 14496-12, 8.8): when its frames are shown, and where they begin."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from worker.formats.mp4.bounded_numbers import bound, numbers
from worker.formats.mp4.boxes import Box, invalid
from worker.transcode.hls.movie_header import Movie

# Flags of a tfhd box, each for a field: two, then what its trun boxes leave unsaid.
_BASE, _DESCRIPTION, _UNSAID = 0x1, 0x2, (0x8, 0x10, 0x20)
# Flags of a trun box: two fields, then columns of a row for each sample: duration, size, flags,
# and by how much later than decoded it is shown.
_OFFSET, _FIRST_FLAGS, _COLUMNS = 0x1, 0x4, (0x100, 0x200, 0x400, 0x800)
_START = 64 << 10  # bytes of a frame in which its picture begins
_SLICES, _IDR = range(1, 6), 5  # types of H.264's NAL units (ITU-T H.264, table 7-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """The video of one fragment, times in ticks of its clock.

    `decoded`: when its first frame is decoded, `lasting`: how long its frames last together,
    `first`: when its first frame is shown, a keyframe; `last`: the latest that any is, and `ends`
    when that has been. `at` and `held`: where the first frame's bytes are, and how many.
    """

    decoded: int
    lasting: int
    first: int
    last: int
    ends: int
    frames: int
    at: int
    held: int


def fragment(moof: Box, start: int, movie: Movie) -> Fragment:
    """Read one whose header begins at the byte `start`.

    Raises `Permanent` (media_invalid) where it has no video.
    """
    trafs = [traf for traf in moof.all("traf") if traf.need("tfhd").u32(4) == movie.number]
    if len(trafs) != 1 or not trafs[0].all("trun"):
        raise invalid("one of its fragments has no video")
    unsaid = _unsaid(trafs[0].need("tfhd"), movie)
    tfdt, runs = trafs[0].need("tfdt").body, trafs[0].all("trun")
    decoded = now = int.from_bytes(tfdt[4 : 12 if tfdt[0] else 8])
    shown: list[int] = []
    duration = 0
    for durations, _, _, shifts in (_columns(run, unsaid) for run in runs):
        for duration, shift in zip(durations, shifts, strict=True):
            shown.append(now + shift)
            now += duration
    return Fragment(
        decoded=decoded,
        lasting=now - decoded,
        first=shown[0],
        last=max(shown),
        ends=max(shown[0] + now - decoded, max(shown) + duration),
        frames=len(shown),
        at=start + (runs[0].u32(8) if runs[0].u32(0) & _OFFSET else 0),
        held=_columns(runs[0], unsaid)[1][0],
    )


def is_independent(file: BinaryIO, found: Fragment, prefix: int) -> bool:
    """Whether it begins with an IDR picture; NAL units have lengths of `prefix` bytes."""
    file.seek(found.at)
    data = file.read(min(found.held, _START))
    at = 0
    while at + prefix < len(data):
        kind = data[at + prefix] & 31
        if kind in _SLICES:
            return kind == _IDR
        at += prefix + int.from_bytes(data[at : at + prefix])
    return False


def _unsaid(tfhd: Box, movie: Movie) -> list[int]:
    """Duration, size, flags and shift of a sample where its run has no such column."""
    flags, unsaid = tfhd.u32(0), [*movie.unsaid, 0]
    if flags & _BASE:
        raise invalid("the offsets of its fragments count from the beginning of the file")
    at = 12 if flags & _DESCRIPTION else 8
    for column, flag in enumerate(_UNSAID):
        if flags & flag:
            unsaid[column], at = tfhd.u32(at), at + 4
    return unsaid


def _columns(trun: Box, unsaid: Sequence[int]) -> list[Sequence[int]]:
    """Durations, sizes, flags and shifts of a run's samples, of which there is one at least."""
    flags, count = trun.u32(0), trun.u32(4)
    bound(count)
    if not count:
        raise invalid("one of its fragments has no video")
    stride = sum(bool(flags & flag) for flag in _COLUMNS)
    at = 8 + 4 * bool(flags & _OFFSET) + 4 * bool(flags & _FIRST_FLAGS)
    rows, signed = (numbers(trun.body, at, count * stride, kind) for kind in "Ii")
    columns: list[Sequence[int]] = []
    index = 0
    for flag, default in zip(_COLUMNS, unsaid, strict=True):
        if flags & flag:
            columns.append((signed if flag == _COLUMNS[-1] else rows)[index::stride])
            index += 1
        else:
            columns.append([default] * count)
    return columns
