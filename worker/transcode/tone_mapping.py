"""Tone mapping from HDR and BT.2020 to the standard range (SDR), and defaults for missing colours.

Without it 8 bits of PQ look flat and grey in every player that ignores the tags, and pictures have
no tags for it at all.
"""

from worker.formats.mp4 import Colour, ProbeResult
from worker.formats.mp4.colour import BT709, BT2020, RGB, UNSPECIFIED

FILTERS = frozenset({"zscale", "tonemap"})
# 4:2:0 has no odd sizes, and zscale refuses half chroma samples: the last column and row are cut.
EVEN = "crop=trunc(iw/2)*2:trunc(ih/2)*2:0:0"
# ITU-R BT.2408: graphics white in HDR, cd/m2. The same light is white in SDR.
_WHITE = 203
# Mobius keeps everything below 0.3 of white, including skin and grey, and compresses the rest.
_MOBIUS = "tonemap=mobius:param=0.3:desat=0"
_SDR = "p=bt709:t=bt709:m=bt709:r=limited,format=yuv420p"
_FROM_RGB = "scale=out_color_matrix={0}:out_range=limited,format=yuv444p,setparams=colorspace={1}"
_HD_CODES = ("bt709", "bt709:color_primaries=bt709:color_trc=bt709")
_SD_CODES = ("bt601", "smpte170m")
# Code points of ITU-T H.273 that swscale and zscale convert. Both refuse others.
_PRIMARIES = frozenset({1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 22})
_TRANSFERS = frozenset({1, *range(4, 9), *range(11, 19)})  # without logarithmic ones
_MATRICES = frozenset({1, 4, 5, 6, 7, 9})
_ICTCP = 14  # a matrix of HDR alone
_HD = 720  # lines from which players assume BT.709 if a file has no colour codes, BT.601 below


def understood(source: ProbeResult) -> Colour:
    """Return the source's colour with those codes unspecified that filters refuse.

    Such codes are reserved, are rare, or contradict the stream: RGB is never subsampled.
    """
    colour = source.colour
    matrices = _MATRICES | ({_ICTCP} if colour.hdr else set())
    is_rgb = colour.matrix == RGB and source.chroma == "4:4:4"
    return Colour(
        primaries=colour.primaries if colour.primaries in _PRIMARIES else UNSPECIFIED,
        transfer=colour.transfer if colour.transfer in _TRANSFERS else UNSPECIFIED,
        matrix=colour.matrix if is_rgb or colour.matrix in matrices else UNSPECIFIED,
    )


def assumed(source: ProbeResult) -> str:
    """Return the filters that set missing colour codes of HD to those that players assume.

    ffmpeg would assume BT.601 for pictures, and write no codes to what it encodes: a rendition of
    fewer lines would be shown in other colours. RGB is converted to what players assume. Codes
    that filters refuse are replaced before the first of them.
    """
    colour, default = understood(source), "unknown"
    if colour.matrix == RGB and not colour.beyond_sdr:
        return _FROM_RGB.format(*(_HD_CODES if source.lines >= _HD else _SD_CODES))
    if source.lines >= _HD and not colour.beyond_sdr:
        default = "bt709"
    codes = {
        "color_primaries": (colour.primaries, source.colour.primaries),
        "color_trc": (colour.transfer, source.colour.transfer),
        "colorspace": (colour.matrix, source.colour.matrix),
    }
    missing = [
        f"{name}={default}"
        for name, (code, stated) in codes.items()
        if code == UNSPECIFIED and (default != "unknown" or stated != UNSPECIFIED)
    ]
    return f"setparams={':'.join(missing)}" if missing else ""


def sdr(source: ProbeResult) -> str:
    """Return the filters that convert the source's frames to BT.709; empty for SDR."""
    colour = understood(source)
    if not colour.beyond_sdr:
        return ""
    primaries, matrix = _known(colour.primaries, BT2020), _known(colour.matrix, BT2020)
    converted = f"zscale=tin={_known(colour.transfer, BT709)}:pin={primaries}:min={matrix}"
    if colour.hdr:
        light = f"{converted}:t=linear:npl={_WHITE}:p=bt709,format=gbrpf32le"
        return f"{EVEN},{light},{_MOBIUS},zscale={_SDR}"
    return f"{EVEN},{converted}:{_SDR}"


def _known(code: int, default: int) -> int:
    return default if code == UNSPECIFIED else code
