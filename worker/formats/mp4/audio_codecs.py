"""Sample descriptions of sound: the codec, and how many channels it has.

All of this is read from headers; the stream itself may differ.
"""

from typing import NamedTuple

from worker.formats.mp4.bit_reader import bits_of, number
from worker.formats.mp4.boxes import Box, Walk, invalid, unsupported

_AUDIO = {
    "Opus": "Opus",
    "fLaC": "FLAC",
    "ac-3": "AC-3",
    "ec-3": "E-AC-3",
    "alac": "ALAC",
    ".mp3": "MP3",
    "sowt": "PCM",
    "twos": "PCM",
    "lpcm": "PCM",
    "ipcm": "PCM",
}
_OBJECT_TYPES = {0x66: "AAC", 0x67: "AAC", 0x68: "AAC", 0x69: "MP3", 0x6B: "MP3", 0xAD: "Opus"}
_MPEG4_AUDIO = 0x40
_LONGEST = 2  # version of QuickTime's description of sound
_AAC_OBJECTS = {2: "AAC", 5: "HE-AAC", 29: "HE-AAC"}
# Channels by channelConfiguration (ISO/IEC 14496-3, table 1.19); 0: the stream states them.
_AAC_CHANNELS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 8, 11: 7, 12: 8, 13: 24, 14: 8}
_ESCAPE = 31  # an object type: six bits follow
_EXPLICIT_RATE = 15  # a sampling frequency index: 24 bits follow
# https://opus-codec.org/docs/opus_in_isobmff.html, 4.3.2; RFC 8486, 3: ambisonics.
_OPUS_FAMILY, _AMBISONIC = 10, frozenset({2, 3})


class Audio(NamedTuple):
    """The codec of a sample description, and its channels (0: unknown).

    `ambisonic`: channels are sound fields, not places.
    """

    codec: str
    channels: int = 0
    ambisonic: bool = False


def audio(entry: Box, walk: Walk) -> Audio:
    """Read an AudioSampleEntry; its codec may be "unknown"."""
    if entry.kind == "enca":
        raise unsupported("its audio is encrypted")
    version = entry.u32(8) >> 16  # QuickTime's longer descriptions have versions 1 and 2
    channels = entry.u32(40) if version == _LONGEST else entry.u32(16) >> 16
    inside = Box(entry.kind, entry.body, walk.boxes(entry.body[{1: 44, 2: 64}.get(version, 28) :]))
    if entry.kind == "mp4a":
        if wave := inside.find("wave"):
            inside = Box(wave.kind, wave.body, walk.boxes(wave.body))
        return _elementary(bytes(inside.need("esds").body[4:]), channels)
    codec, opus = _AUDIO.get(entry.kind, "unknown"), inside.find("dOps")
    if codec != "Opus" or not opus:
        return Audio(codec, channels)
    return Audio(codec, opus.body[1], opus.body[_OPUS_FAMILY] in _AMBISONIC)


def stated_rate(entry: Box) -> int:
    """Return the samples per second that an AudioSampleEntry states; 0 if it has another form."""
    return 0 if entry.u32(8) >> 16 == _LONGEST else entry.u32(24) >> 16


def _elementary(data: bytes, channels: int) -> Audio:
    """Return what an ES_Descriptor states (ISO/IEC 14496-1, 7.2.6.5)."""
    stream = descriptor(data, 0, 0x03)
    if data[stream + 2] & 0xE0:
        return Audio("unknown")  # depends on another stream, or is stored at a URL
    decoder = descriptor(data, stream + 3, 0x04)
    if data[decoder] != _MPEG4_AUDIO:
        return Audio(_OBJECT_TYPES.get(data[decoder], "unknown"), channels)
    at = descriptor(data, decoder + 13, 0x05)
    return Audio(_AAC_OBJECTS.get(data[at] >> 3, "unknown"), _aac_channels(data[at:]))


def _aac_channels(config: bytes) -> int:
    """Return the channels that an AudioSpecificConfig states (ISO/IEC 14496-3, 1.6.2.1)."""
    bits = bits_of(config)
    if number(bits, 5) == _ESCAPE:
        number(bits, 6)
    if number(bits, 4) == _EXPLICIT_RATE:
        number(bits, 24)
    return _AAC_CHANNELS.get(number(bits, 4), 0)


def descriptor(data: bytes, at: int, tag: int) -> int:
    """Return the offset of the content of the descriptor at `at`, which must have this tag."""
    if data[at] != tag:
        raise invalid("its audio track has no decoder configuration")
    at += 1
    while data[at] & 0x80:
        at += 1
    return at + 1
