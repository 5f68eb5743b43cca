"""The H.264 sequence parameter set (ISO/IEC 14496-10, 7.3.2.1.1), up to its colour description.

All of this is read from headers; the stream itself may differ.
"""

from collections.abc import Iterator
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


class SequenceParameters(NamedTuple):
    """The facts in a decoder configuration; `interlaced`: frames may be coded as two fields."""

    profile: str | None = None
    bit_depth: int | None = None
    chroma: str | None = None
    interlaced: bool = False
    colour: Colour = Colour()


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
    interlaced = not next(bits, 1)  # frame_mbs_only_flag
    return SequenceParameters(
        _PROFILES.get(profile), depth, chroma, interlaced, _colour(bits, interlaced)
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
    """Skip from log2_max_frame_num_minus4 to pic_height_in_map_units_minus1."""
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
    golomb(bits), golomb(bits)


def _colour(bits: Iterator[int], interlaced: bool) -> Colour:
    """Return the code points of the usability information (E.1), after frame_mbs_only_flag."""
    if interlaced:
        next(bits, 0)
    next(bits, 0)
    if next(bits, 0):
        for _ in range(4):  # cropping
            golomb(bits)
    if not next(bits, 0):
        return Colour()
    if next(bits, 0) and number(bits, 8) == _EXTENDED_SAR:
        number(bits, 32)
    if next(bits, 0):
        next(bits, 0)  # overscan
    if not next(bits, 0):
        return Colour()
    number(bits, 4)  # format and range
    if not next(bits, 0):
        return Colour()
    primaries, transfer, matrix = (number(bits, 8) for _ in range(3))
    return Colour(primaries=primaries, transfer=transfer, matrix=matrix)
