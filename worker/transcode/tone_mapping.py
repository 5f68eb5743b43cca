"""What samples mean as light; from HDR and BT.2020 to what a screen of standard range can show.

Without it 8 bits of PQ look flat and grey wherever the tags are not understood, and pictures have
no tags at all that would say so.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

from worker.formats.mp4 import Colour, ProbeResult, container_colour
from worker.formats.mp4.colour import BT709, BT2020, RGB, UNSPECIFIED
from worker.transcode.ffmpeg import Ffmpeg
from worker.transcode.metering import Cost

FILTERS = frozenset({"zscale", "tonemap"})
# ITU-R BT.2408: graphics white in HDR, cd/m2. The same light is white in SDR.
_WHITE = 203
_EVEN = "crop=trunc(iw/2)*2:trunc(ih/2)*2:0:0"  # zscale takes no half chroma samples
# Mobius leaves all below 0.3 of white as it is, skin and grey among it, and bends what is above.
_BENT = "tonemap=mobius:param=0.3:desat=0"
_SDR = "p=bt709:t=bt709:m=bt709:r=limited,format=yuv420p"
_ONE = "frame.mov"
# One corner of one frame. FFV1 takes what a decoder gives, RGB too, and MOV tells its colours.
_CORNER = ["-map", "0:V:0", "-vf", "crop=16:16:0:0", "-frames:v", "1", "-c:v", "ffv1"]
_FROM_RGB = "scale=out_color_matrix={0}:out_range=limited,format=yuv444p,setparams=colorspace={1}"
_HD_CODES = ("bt709", "bt709:color_primaries=bt709:color_trc=bt709")
_SD_CODES = ("bt601", "smpte170m")
_HD = 720  # lines from which players take BT.709 where nothing is told, BT.601 below


def assumed(source: ProbeResult) -> str:
    """The filters that name the colours of HD that are not told, as players assume them.

    ffmpeg would take BT.601 for pictures, and tell nothing of what it encodes: a rendition of
    fewer lines would be shown in other colours. RGB becomes what players take for untold.
    """
    held = source.colour
    if held.beyond_sdr:
        return ""
    if held.matrix == RGB:
        return _FROM_RGB.format(*(_HD_CODES if source.lines >= _HD else _SD_CODES))
    if source.lines < _HD:
        return ""
    codes = {"color_primaries": held.primaries, "color_trc": held.transfer}
    codes["colorspace"] = held.matrix
    untold = [f"{name}=bt709" for name, code in codes.items() if code == UNSPECIFIED]
    return f"setparams={':'.join(untold)}" if untold else ""


def sdr(source: Colour) -> str:
    """The filters that make BT.709 of frames with these colours; none where they are SDR."""
    if not source.beyond_sdr:
        return ""
    primaries, matrix = _known(source.primaries, BT2020), _known(source.matrix, BT2020)
    begun = f"zscale=tin={_known(source.transfer, BT709)}:pin={primaries}:min={matrix}"
    if source.hdr:
        light = f"{begun}:t=linear:npl={_WHITE}:p=bt709,format=gbrpf32le"
        return f"{_EVEN},{light},{_BENT},zscale={_SDR}"
    return f"{_EVEN},{begun}:{_SDR}"


def _known(code: int, otherwise: int) -> int:
    return otherwise if code == UNSPECIFIED else code


def with_stream_colours(held: ProbeResult, source: Path, ffmpeg: Ffmpeg, cost: Cost) -> ProbeResult:
    """The probe with the colours that the stream tells itself, over those of the container.

    Many encoders write them into the stream alone, of which H.264's is read with the headers.
    Others' are those of a frame that ffmpeg decodes. Of 8 bits 4:2:0 below HD that tell nothing it
    is not asked. Raises what `Ffmpeg.run` raises.
    """
    usual = held.lines < _HD and (held.bit_depth, held.chroma) == (8, "4:2:0")
    if held.codec == "H.264" or (usual and held.colour == Colour()):
        return held
    with tempfile.TemporaryDirectory(prefix="falhook-") as scratch:
        fitted = ffmpeg.fitted(held, outputs=1)
        outputs = [*_CORNER, "-f", "mov", _ONE]
        cost.child(fitted.run(outputs, source=source, cwd=Path(scratch), duration=None))
        told = container_colour(Path(scratch, _ONE))
    return replace(held, colour=told.over(held.colour))
