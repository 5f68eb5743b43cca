"""The colours that a video stream itself has: of one frame that ffmpeg decodes.

The frame is written to Matroska, which stores primaries, transfer and matrix each on its own
(https://www.rfc-editor.org/rfc/rfc9559#section-5.1.4.1.28.26); ffmpeg's MP4 and MOV drop all three
if one is unspecified. Lengths are those of EBML (https://www.rfc-editor.org/rfc/rfc8794#section-4).
"""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from worker.errors import Permanent
from worker.formats.mp4 import Colour, ProbeResult
from worker.formats.mp4.colour import UNSPECIFIED
from worker.transcode.ffmpeg import Ffmpeg, ResourceUsage
from worker.transcode.verification import verification_failed

_FRAME = "frame.mkv"
# One corner of one frame: FFV1 accepts every pixel format, RGB too.
_CORNER = ["-map", "0:V:0", "-vf", "crop=16:16:0:0", "-frames:v", "1", "-c:v", "ffv1"]
_SEGMENT, _TRACKS, _TRACK, _VIDEO, _COLOUR = 0x18538067, 0x1654AE6B, 0xAE, 0xE0, 0x55B0
_RESERVED = 3  # a code of ITU-T H.273 for all that are reserved
_MATRIX, _TRANSFER, _PRIMARIES = 0x55B1, 0x55BA, 0x55BB


def with_stream_colours(
    source: ProbeResult, path: Path, ffmpeg: Ffmpeg, usage: ResourceUsage
) -> ProbeResult:
    """Return the probe with the colours that the stream itself has, over those of the container.

    Many encoders write them to the stream only, and not all of them. The probe has read H.264's;
    for other codecs ffmpeg decodes a frame. Raises what `Ffmpeg.run` raises.
    """
    if source.codec == "H.264":
        return source
    try:
        return _decoded(source, path, ffmpeg, usage)
    except Permanent:
        if source.codec != "AV1":
            raise
        # Perhaps for its matrix: `Ffmpeg.fitted` hides a reserved one.
        reserved = replace(source, colour=replace(source.colour, matrix=_RESERVED))
        return _decoded(reserved, path, ffmpeg, usage)


def _decoded(source: ProbeResult, path: Path, ffmpeg: Ffmpeg, usage: ResourceUsage) -> ProbeResult:
    with tempfile.TemporaryDirectory(prefix="falhook-") as scratch:
        fitted = ffmpeg.fitted(source, outputs=1)
        outputs = [*_CORNER, "-f", "matroska", _FRAME]
        usage.add_child(fitted.run(outputs, source=path, cwd=Path(scratch), duration=None))
        frame = Path(scratch, _FRAME)
        if not frame.is_file():  # no frame to see: the outputs are verified on their own
            return source
        colour = matroska_colour(frame.read_bytes())
    return replace(source, colour=colour.completed_by(source.colour))


def matroska_colour(data: bytes) -> Colour:
    """Return the colour of the first track of a Matroska file that ffmpeg wrote.

    Raises `Permanent` (media_invalid) if it is not one.
    """
    inside = data
    for element in (_SEGMENT, _TRACKS, _TRACK, _VIDEO):
        if (found := dict(_elements(inside)).get(element)) is None:
            raise verification_failed("the frame with its colours is not readable")
        inside = found
    codes = dict(_elements(dict(_elements(inside)).get(_COLOUR, b"")))
    primaries, transfer, matrix = (
        int.from_bytes(codes[element]) if element in codes else UNSPECIFIED
        for element in (_PRIMARIES, _TRANSFER, _MATRIX)
    )
    return Colour(primaries=primaries, transfer=transfer, matrix=matrix)


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the ID and the content of each EBML element; the last may be cut short."""
    at = 0
    while at < len(data):
        width = 9 - data[at].bit_length()  # the position of the first 1 is the number of bytes
        element = int.from_bytes(data[at : at + width])
        at += width
        if at >= len(data):
            return
        width = 9 - data[at].bit_length()
        size = int.from_bytes(data[at : at + width]) & (1 << 7 * width) - 1
        at += width
        yield element, data[at : at + size]
        at += size
