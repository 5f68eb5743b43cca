"""The H.264 sequence parameter set (ISO/IEC 14496-10, 7.3.2.1.1), up to its colour description.

All of this is read from headers; the stream itself may differ.
"""

from collections.abc import Iterator
from itertools import repeat
from typing import NamedTuple

from worker.formats.mp4.bit_reader import bits_of, golomb, number, signed, unreadable
from worker.formats.mp4.colour import Colour

CHROMA = {0: "4:0:0", 1: "4:2:0", 2: "4:2:2", 3: "4:4:4"}
_PROFILES = {
    66: "Baseline",
    77: "Main",
    88: "Extended",
    100: "High",
    110: "High 10",
    122: "High 4:2:2",
    244: "High 4:4:4",
}
_WITH_CHROMA = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_HEAD = 5  # bytes before the first Exp-Golomb number, and at least one of these
_MOST_OFFSETS = 255  # of num_ref_frames_in_pic_order_cnt_cycle
_SMALL_LIST, _LARGE_LIST = 16, 64  # coefficients of a scaling list
_SMALL_LISTS = 6  # come before the large ones
_EXTENDED_SAR = 255  # aspect_ratio_idc: the sides of a pixel follow
# The sides of a pixel, by aspect_ratio_idc from 1 (table E-1).
_ASPECTS = (
    *((1, 1), (12, 11), (10, 11), (16, 11), (40, 33), (24, 11), (20, 11), (32, 11)),
    *((80, 33), (18, 11), (15, 11), (64, 33), (160, 99), (4, 3), (3, 2), (2, 1)),
)
_SPS = 7  # type of a NAL unit (table 7-1)
_MACROBLOCK = 16  # pixels a side
SUBSAMPLING = {"4:2:0": (2, 2), "4:2:2": (2, 1)}  # pixels of one chroma sample
Pair = tuple[int, int]


class SequenceParameters(NamedTuple):
    """The facts in a decoder configuration; `interlaced`: frames may be coded as two fields.

    `size`: of a decoded frame in pixels; `aspect`: the sides of a pixel. None if not stated.
    """

    profile: str | None = None
    bit_depth: int | None = None
    chroma: str | None = None
    interlaced: bool = False
    colour: Colour = Colour()
    size: Pair | None = None
    aspect: Pair | None = None


def read_avcc(config: memoryview) -> SequenceParameters:
    """Read the first parameter set of an avcC box; `MediaError` if it cannot be read."""
    length = int.from_bytes(config[6:8])
    parameters = bytes(config[8 : 8 + length])
    if not config[5] & 31 or len(parameters) != length or length < _HEAD:
        raise unreadable()
    profile = parameters[1]
    bits = bits_of(parameters[4:].replace(b"\0\0\3", b"\0\0"))
    golomb(bits)  # seq_parameter_set_id
    depth, chroma = _samples(bits) if profile in _WITH_CHROMA else (8, "4:2:0")
    _skip_counts(bits)
    columns, rows = golomb(bits) + 1, golomb(bits) + 1  # of macroblocks, or pairs of them
    interlaced = not next(bits, 1)  # frame_mbs_only_flag
    if interlaced:
        next(bits, 0)
    next(bits, 0)  # direct_8x8_inference_flag
    left, right, top, bottom = map(golomb, repeat(bits, 4)) if next(bits, 0) else (0, 0, 0, 0)
    across, down = SUBSAMPLING.get(chroma or "", (1, 1))
    fields = 2 if interlaced else 1
    width = columns * _MACROBLOCK - (left + right) * across
    height = fields * (rows * _MACROBLOCK - (top + bottom) * down)
    is_stated = parameters[0] & 31 == _SPS
    if is_stated and min(width, height) <= 0:
        raise unreadable()
    aspect, colour = _usability(bits) if next(bits, 0) else (None, Colour())
    return SequenceParameters(
        _PROFILES.get(profile),
        depth,
        chroma,
        interlaced,
        colour,
        (width, height) if is_stated else None,
        aspect,
    )


def _samples(bits: Iterator[int]) -> tuple[int, str | None]:
    """Return bit depth and chroma; skip what follows them in profiles that have them."""
    chroma = CHROMA.get(golomb(bits))
    if chroma == "4:4:4":
        next(bits, 0)
    depth = 8 + max(golomb(bits), golomb(bits))
    next(bits, 0)  # transform bypass
    if next(bits, 0):
        for number in range(12 if chroma == "4:4:4" else 8):
            if next(bits, 0):
                _skip_scaling_list(bits, _SMALL_LIST if number < _SMALL_LISTS else _LARGE_LIST)
    return depth, chroma


def _skip_scaling_list(bits: Iterator[int], size: int) -> None:
    """Skip a scaling list (7.3.2.1.1.1), which ends early if the next scale is 0."""
    scale = 8
    for _ in range(size):
        scale = (scale + signed(bits)) % 256
        if not scale:
            return


def _skip_counts(bits: Iterator[int]) -> None:
    """Skip from log2_max_frame_num_minus4 to gaps_in_frame_num_value_allowed_flag."""
    golomb(bits)
    order = golomb(bits)
    if not order:
        golomb(bits)
    elif order == 1:
        next(bits, 0)
        golomb(bits), golomb(bits)
        offsets = golomb(bits)
        if offsets > _MOST_OFFSETS:
            raise unreadable()
        for _ in range(offsets):
            golomb(bits)
    golomb(bits)
    next(bits, 0)  # gaps in frame numbers


def _usability(bits: Iterator[int]) -> tuple[Pair | None, Colour]:
    """Return the sides of a pixel and the code points of the usability information (E.1)."""
    aspect = _aspect(bits) if next(bits, 0) else None
    if next(bits, 0):
        next(bits, 0)  # overscan
    if not next(bits, 0):
        return aspect, Colour()
    number(bits, 4)  # format and range
    if not next(bits, 0):
        return aspect, Colour()
    primaries, transfer, matrix = (number(bits, 8) for _ in range(3))
    return aspect, Colour(primaries=primaries, transfer=transfer, matrix=matrix)


def _aspect(bits: Iterator[int]) -> Pair | None:
    code = number(bits, 8)
    if code == _EXTENDED_SAR:
        return number(bits, 16), number(bits, 16)
    return _ASPECTS[code - 1] if 1 <= code <= len(_ASPECTS) else None
