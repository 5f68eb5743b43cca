"""What samples mean as light; from HDR and BT.2020 to what a screen of standard range can show.

Without it 8 bits of PQ look flat and grey wherever the tags are not understood, and pictures have
no tags at all that would say so.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

from worker.cost import Cost
from worker.ffmpeg import Ffmpeg
from worker.mp4 import Colour, Probe, probe
from worker.mp4.colour import BT709, BT2020, UNSPECIFIED

FILTERS = frozenset({"zscale", "tonemap"})
# ITU-R BT.2408: graphics white in HDR, cd/m2. The same light is white in SDR.
_WHITE = 203
_EVEN = "crop=trunc(iw/2)*2:trunc(ih/2)*2:0:0"  # zscale takes no half chroma samples
# Mobius leaves all below 0.3 of white as it is, skin and grey among it, and bends what is above.
_BENT = "tonemap=mobius:param=0.3:desat=0"
_SDR = "p=bt709:t=bt709:m=bt709:r=limited,format=yuv420p"
_ONE = "frame.mp4"
_HD = 720  # lines from which players take BT.709 where nothing is told, BT.601 below


def assumed(source: Probe) -> str:
    """The filter that names the colours of HD that are not told, as players assume them.

    ffmpeg would take BT.601 for pictures, and tell nothing of what it encodes: a rendition of
    fewer lines would be shown in other colours.
    """
    if source.lines < _HD or source.colour.beyond_sdr:
        return ""
    held = source.colour
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


def told(held: Probe, source: Path, ffmpeg: Ffmpeg, cost: Cost) -> Probe:
    """The probe with the stream's own colours, where headers tell none of HD or more than 8 bits.

    Many encoders write them into the stream alone, of which H.264's is read with the headers.
    ffmpeg reads them there, and writes them into the container when it copies a frame. Raises what
    `Ffmpeg.run` raises.
    """
    usual = held.lines < _HD and held.bit_depth == 8  # noqa: PLR2004
    if held.colour != Colour() or held.codec == "H.264" or usual:
        return held
    container = "mov" if held.codec == "ProRes" else "mp4"
    copied = ["-map", "0:V:0", "-c", "copy", "-frames:v", "1", "-f", container, _ONE]
    with tempfile.TemporaryDirectory(prefix="falhook-") as scratch:
        used = ffmpeg.run(copied, source=source, cwd=Path(scratch), duration=None)
        cost.child(used)
        return replace(held, colour=probe(Path(scratch, _ONE)).colour)
