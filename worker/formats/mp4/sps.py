"""H.264's sequence parameter set (ISO/IEC 14496-10, 7.3.2.1.1), as far as facts are taken from it.

Everything here is read from headers; the decoder has the last word on what the stream holds.
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
_SMALL_LISTS = 6  # of them come first

_ANY_SHAPE = 255  # of pixels: Extended_SAR, whose sides follow


class SequenceParameters(NamedTuple):
    """What a decoder's configuration tells; `interlaced`: pictures may be coded as two fields."""

    profile: str | None = None
    bit_depth: int | None = None
    chroma: str | None = None
    interlaced: bool = False
    colour: Colour = Colour()


def facts(config: memoryview) -> SequenceParameters:
    """Of the first parameter set of an avcC box; `MediaError` where it cannot be read."""
    length = int.from_bytes(config[6:8])
    parameters = bytes(config[8 : 8 + length])
    if not config[5] & 31 or len(parameters) != length or length < _HEAD:
        raise unreadable()
    profile = parameters[1]
    bits = bits_of(parameters[4:].replace(b"\0\0\3", b"\0\0"))
    golomb(bits)  # the parameter set's own number
    depth, chroma = _samples(bits) if profile in _WITH_CHROMA else (8, "4:2:0")
    _pass_counts(bits)
    interlaced = not next(bits, 1)  # frame_mbs_only_flag
    return SequenceParameters(
        _PROFILES.get(profile), depth, chroma, interlaced, _colour(bits, interlaced)
    )


def _samples(bits: Iterator[int]) -> tuple[int, str | None]:
    """Bit depth and chroma, past all that follows these in profiles that have them."""
    chroma = CHROMA.get(golomb(bits))
    if chroma == "4:4:4":
        next(bits, 0)
    depth = 8 + max(golomb(bits), golomb(bits))
    next(bits, 0)  # transform bypass
    if next(bits, 0):
        for number in range(12 if chroma == "4:4:4" else 8):
            if next(bits, 0):
                _pass_list(bits, _SMALL_LIST if number < _SMALL_LISTS else _LARGE_LIST)
    return depth, chroma


def _pass_list(bits: Iterator[int], size: int) -> None:
    """A scaling list (7.3.2.1.1.1), which ends early where the next scale is 0."""
    scale = 8
    for _ in range(size):
        scale = (scale + signed(bits)) % 256
        if not scale:
            return


def _pass_counts(bits: Iterator[int]) -> None:
    """From log2_max_frame_num_minus4 to pic_height_in_map_units_minus1."""
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
    """From what follows frame_mbs_only_flag: the code points of the usability information (E.1)."""
    if interlaced:
        next(bits, 0)
    next(bits, 0)
    if next(bits, 0):
        for _ in range(4):  # cropping
            golomb(bits)
    if not next(bits, 0):
        return Colour()
    if next(bits, 0) and number(bits, 8) == _ANY_SHAPE:
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
