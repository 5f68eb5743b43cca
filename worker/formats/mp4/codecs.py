"""Sample descriptions: the codec of a track (ISO/IEC 14496-15, 14496-1, VP9 and AV1 bindings).

All of this is read from headers; the stream itself may differ.
"""

from collections.abc import Callable
from dataclasses import dataclass

from worker.formats.mp4.boxes import Box, Walk, invalid, unsupported
from worker.formats.mp4.colour import Colour, colour
from worker.formats.mp4.hevc_size import hevc_size
from worker.formats.mp4.sps import CHROMA, Pair, SequenceParameters, read_avcc

_HEVC_PROFILES = {1: "Main", 2: "Main 10", 3: "Main Still Picture", 4: "Range Extensions"}
_PRORES = {
    "apco": "Proxy",
    "apcs": "LT",
    "apcn": "422",
    "apch": "HQ",
    "ap4h": "4444",
    "ap4x": "4444 XQ",
}
_TWO_FIELDS = 2  # in a fiel box (QuickTime File Format, Video Sample Description Extensions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """A video sample description; None for what the header does not state.

    `width` and `height` are those of the stream, in pixels; `stated` are those of the container, of
    which it may not be true. `aspect`: width and height of a pixel.
    """

    fourcc: str
    codec: str
    width: int
    height: int
    stated: Pair
    aspect: Pair
    profile: str | None
    bit_depth: int | None
    chroma: str | None
    colour: Colour
    interlaced: bool


def video(entry: Box, walk: Walk) -> Video:
    """Read a VisualSampleEntry (ISO/IEC 14496-12, 12.1.3); `MediaError` for an unknown codec."""
    if entry.kind == "encv":
        raise unsupported("its video is encrypted")
    if entry.kind not in _VIDEO:
        raise unsupported("its video codec is not supported")
    codec, configuration, read = _VIDEO[entry.kind]
    inside = Box(entry.kind, entry.body, walk.boxes(entry.body[78:]))
    config = inside.find(configuration) if configuration else None
    if config is None and entry.kind.startswith(("avc", "hvc", "hev", "av01")):
        raise invalid(f"its {codec} track has no decoder configuration")
    parameters = (
        read(config.body) if config else SequenceParameters(profile=_PRORES.get(entry.kind))
    )
    fields = inside.find("fiel")
    stated = entry.u32(24) >> 16, entry.u32(24) & 0xFFFF
    width, height = parameters.size or stated
    return Video(
        fourcc=entry.kind,
        codec=codec,
        width=width,
        height=height,
        stated=stated,
        aspect=_aspect(inside, parameters),
        profile=parameters.profile,
        bit_depth=parameters.bit_depth,
        chroma=parameters.chroma,
        colour=parameters.colour.completed_by(colour(inside)),
        interlaced=fields.body[0] == _TWO_FIELDS if fields else parameters.interlaced,
    )


def _aspect(description: Box, parameters: SequenceParameters) -> Pair:
    """Return the sides of a pixel, by the container (12.1.4) before the stream; square if unstated.

    Sides of 0 state nothing.
    """
    pasp = description.find("pasp")
    stated = ((pasp.u32(0), pasp.u32(4)) if pasp else None, parameters.aspect)
    return next((sides for sides in stated if sides and all(sides)), (1, 1))


def _hevc(config: memoryview) -> SequenceParameters:
    return SequenceParameters(
        _HEVC_PROFILES.get(config[1] & 31),
        8 + (config[17] & 7),
        CHROMA[config[16] & 3],
        size=hevc_size(config),
    )


def _vp9(config: memoryview) -> SequenceParameters:
    return SequenceParameters(
        f"Profile {config[4]}", config[6] >> 4, CHROMA[max(1, config[6] >> 1 & 3)]
    )


def _av1(config: memoryview) -> SequenceParameters:
    flags = config[2]
    depth = 12 if flags & 0x20 else 10 if flags & 0x40 else 8
    chroma = 0 if flags & 0x10 else {0b11: 1, 0b10: 2}.get(flags >> 2 & 3, 3)
    profile = {0: "Main", 1: "High", 2: "Professional"}.get(config[1] >> 5)
    return SequenceParameters(profile, depth, CHROMA[chroma])


def _unstated(_: memoryview) -> SequenceParameters:
    return SequenceParameters()


_VIDEO: dict[str, tuple[str, str, Callable[[memoryview], SequenceParameters]]] = {
    "avc1": ("H.264", "avcC", read_avcc),
    "avc3": ("H.264", "avcC", read_avcc),
    "hvc1": ("HEVC", "hvcC", _hevc),
    "hev1": ("HEVC", "hvcC", _hevc),
    "vp08": ("VP8", "vpcC", _vp9),
    "vp09": ("VP9", "vpcC", _vp9),
    "av01": ("AV1", "av1C", _av1),
    "mp4v": ("MPEG-4 Visual", "", _unstated),
    **dict.fromkeys(_PRORES, ("ProRes", "", _unstated)),
}
