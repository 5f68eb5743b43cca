"""A movie fragment (ISO/IEC 14496-12, 8.8): the times and the position of its frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from worker.formats.mp4.bounded_numbers import bound, numbers
from worker.formats.mp4.boxes import Box, invalid
from worker.transcode.hls.movie_header import Movie

# Flags of a tfhd box, each for a field: two, then the defaults of its trun boxes.
_BASE, _DESCRIPTION, _DEFAULTS = 0x1, 0x2, (0x8, 0x10, 0x20)
# Flags of a trun box: two fields, then the columns of a table with a row for each sample: duration,
# size, flags, and the offset from decoding to display.
_OFFSET, _FIRST_FLAGS, _COLUMNS = 0x1, 0x4, (0x100, 0x200, 0x400, 0x800)
_START = 64 << 10  # bytes of a frame in which its picture begins
_SLICES, _IDR = range(1, 6), 5  # types of H.264's NAL units (ITU-T H.264, table 7-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """The video of one fragment, with times in ticks of its clock.

    `decoded`: when the first frame is decoded. `lasting`: the sum of all durations. `first`: when
    the first frame, a keyframe, is shown. `last`: when the last frame is shown, and `ends`: until
    when. `offset` and `size`: the position of the first frame's bytes, and their number.
    """

    decoded: int
    lasting: int
    first: int
    last: int
    ends: int
    frames: int
    offset: int
    size: int


def fragment(moof: Box, start: int, movie: Movie) -> Fragment:
    """Read the fragment whose header begins at the byte `start`.

    Raises `MediaError` (media_invalid) if it has no video.
    """
    trafs = [traf for traf in moof.all("traf") if traf.need("tfhd").u32(4) == movie.number]
    if len(trafs) != 1 or not trafs[0].all("trun"):
        raise invalid("one of its fragments has no video")
    defaults = _defaults(trafs[0].need("tfhd"), movie)
    tfdt, runs = trafs[0].need("tfdt").body, trafs[0].all("trun")
    decoded = now = int.from_bytes(tfdt[4 : 12 if tfdt[0] else 8])
    shown: list[int] = []
    duration = 0
    for durations, _, _, shifts in (_columns(run, defaults) for run in runs):
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
        offset=start + (runs[0].u32(8) if runs[0].u32(0) & _OFFSET else 0),
        size=_columns(runs[0], defaults)[1][0],
    )


def is_independent(file: BinaryIO, fragment: Fragment, prefix: int) -> bool:
    """Return whether it begins with an IDR picture; `prefix`: bytes of a NAL unit's length."""
    file.seek(fragment.offset)
    data = file.read(min(fragment.size, _START))
    at = 0
    while at + prefix < len(data):
        kind = data[at + prefix] & 31
        if kind in _SLICES:
            return kind == _IDR
        at += prefix + int.from_bytes(data[at : at + prefix])
    return False


def _defaults(tfhd: Box, movie: Movie) -> list[int]:
    """Return duration, size, flags and shift of samples whose run has no such column."""
    flags, defaults = tfhd.u32(0), [*movie.defaults, 0]
    if flags & _BASE:
        raise invalid("the offsets of its fragments count from the beginning of the file")
    at = 12 if flags & _DESCRIPTION else 8
    for column, flag in enumerate(_DEFAULTS):
        if flags & flag:
            defaults[column], at = tfhd.u32(at), at + 4
    return defaults


def _columns(trun: Box, defaults: Sequence[int]) -> list[Sequence[int]]:
    """Return durations, sizes, flags and shifts of a run's samples, at least one of each."""
    flags, count = trun.u32(0), trun.u32(4)
    bound(count)
    if not count:
        raise invalid("one of its fragments has no video")
    stride = sum(bool(flags & flag) for flag in _COLUMNS)
    at = 8 + 4 * bool(flags & _OFFSET) + 4 * bool(flags & _FIRST_FLAGS)
    rows, signed = (numbers(trun.body, at, count * stride, kind) for kind in "Ii")
    columns: list[Sequence[int]] = []
    index = 0
    for flag, default in zip(_COLUMNS, defaults, strict=True):
        if flags & flag:
            columns.append((signed if flag == _COLUMNS[-1] else rows)[index::stride])
            index += 1
        else:
            columns.append([default] * count)
    return columns
