"""The size of HEVC pictures, from the parameter sets in an hvcC box.

ISO/IEC 14496-15, 8.3.3.1.2 (hvcC); ITU-T H.265, 7.3.2.2.1 (sequence parameter set).
"""

from collections.abc import Iterator
from itertools import repeat

from worker.formats.mp4.bit_reader import bits_of, golomb, number, unreadable
from worker.formats.mp4.sps import CHROMA, SUBSAMPLING, Pair

_ARRAYS = 22  # offset of the number of arrays in the box; the arrays follow
_SPS = 33  # type of a NAL unit
_NAL_HEADER = 2  # bytes
_GENERAL = 88  # bits of general_profile_space to general_reserved_zero_bit
_LEVEL = 8  # bits
_MOST_SUB_LAYERS = 8


def hevc_size(config: memoryview) -> Pair | None:
    """Return width and height in pixels; None if the box has no parameter set.

    Raises `MediaError` if a parameter set cannot be read.
    """
    parameters = next(_parameter_sets(config), None)
    return _size(parameters) if parameters else None


def _parameter_sets(config: memoryview) -> Iterator[bytes]:
    at, arrays = _ARRAYS + 1, config[_ARRAYS] if len(config) > _ARRAYS else 0
    for _ in range(arrays):
        kind, count = config[at] & 63, int.from_bytes(config[at + 1 : at + 3])
        at += 3
        for _ in range(count):
            length = int.from_bytes(config[at : at + 2])
            if kind == _SPS:
                yield bytes(config[at + 2 + _NAL_HEADER : at + 2 + length])
            at += 2 + length


def _size(parameters: bytes) -> Pair:
    bits = bits_of(parameters.replace(b"\0\0\3", b"\0\0"))
    number(bits, 4)  # sps_video_parameter_set_id
    sub_layers = number(bits, 3)
    number(bits, 1 + _GENERAL + _LEVEL)
    present = [(next(bits, 0), next(bits, 0)) for _ in range(sub_layers)]
    if sub_layers:
        number(bits, 2 * (_MOST_SUB_LAYERS - sub_layers))
    for profile, level in present:
        number(bits, _GENERAL * profile + _LEVEL * level)
    golomb(bits)  # sps_seq_parameter_set_id
    chroma = CHROMA.get(golomb(bits))
    if chroma == "4:4:4":
        next(bits, 0)
    width, height = golomb(bits), golomb(bits)
    left, right, top, bottom = map(golomb, repeat(bits, 4)) if next(bits, 0) else (0, 0, 0, 0)
    across, down = SUBSAMPLING.get(chroma or "", (1, 1))
    size = width - (left + right) * across, height - (top + bottom) * down
    if min(size) <= 0:
        raise unreadable("HEVC")
    return size
