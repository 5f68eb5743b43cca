"""What a header says about how a track is presented, corrected in place.

The boxes' bodies must be writable views.
"""

import struct

from worker.formats.mp4 import codecs
from worker.formats.mp4.boxes import Box, Walk

_SHOWN = 3  # flags: enabled, and in the movie (ISO/IEC 14496-12, 8.3.2)
_SIZE_AT = {False: 76, True: 88}  # of a tkhd box: width and height in 1/65536 pixels
_LONGEST = 0xFFFF  # pixels a side that a tkhd box can state
_STATED_AT = 24  # of a VisualSampleEntry (12.1.3)


def enable(trak: Box) -> None:
    """Enable a track: a disabled one is neither shown nor heard in some players."""
    tkhd = trak.need("tkhd")
    tkhd.body[3] |= _SHOWN


def state_size(trak: Box, walk: Walk) -> None:
    """Let a video track state the size of its stream, and that of the picture on a screen.

    Players scale or crop frames to what the container states.
    """
    if bytes(trak.need("mdia", "hdlr").body[8:12]) != b"vide":
        return
    for entry in walk.boxes(trak.need("mdia", "minf", "stbl", "stsd").body[8:]):
        video = codecs.video(entry, walk)
        size = (video.width, video.height)
        if video.stated != size:
            struct.pack_into(">2H", entry.body, _STATED_AT, *size)
            wide, high = video.aspect
            displayed = min(round(video.width * wide / high), _LONGEST), video.height
            tkhd = trak.need("tkhd")
            at = _SIZE_AT[tkhd.body[0] == 1]
            struct.pack_into(">2I", tkhd.body, at, *(side << 16 for side in displayed))
