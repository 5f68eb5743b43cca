"""The movie header of a fragmented H.264 file: its video track, and the names of its codecs."""

from dataclasses import dataclass

from worker.formats.mp4.audio_codecs import descriptor
from worker.formats.mp4.boxes import Box, Walk, invalid

# https://www.rfc-editor.org/rfc/rfc6381#section-3.3 : the object types of ISO/IEC 14496-3.
_MPEG4_AUDIO = "mp4a.40"
_AAC_LC = 2
_SBR, _PS = 5, 29  # HE-AAC, and its second version


@dataclass(frozen=True, slots=True, kw_only=True)
class Movie:
    """The video track's number and clock, and the bytes of its NAL units' length prefix.

    `shown_from`: ticks of the clock before which frames are decoded but not shown. `size`: of the
    displayed picture, in square pixels. `defaults`: duration, size and flags of a sample whose
    fragment has none. `codecs`: of video and audio, in the syntax of RFC 6381.
    """

    number: int
    timescale: int
    prefix: int
    shown_from: int
    size: tuple[int, int]
    defaults: tuple[int, int, int]
    codecs: str


def movie(moov: Box, walk: Walk) -> Movie:
    """Read it. Raises `MediaError` (media_invalid) unless it is H.264, with or without AAC."""
    picture = _track(moov, b"vide")
    if picture is None:
        raise invalid("it has no video track")
    wide = picture.need("tkhd").body[0] == 1
    number = picture.need("tkhd").u32(20 if wide else 12)
    clock = picture.need("mdia", "mdhd")
    timescale = clock.u32(20 if clock.body[0] == 1 else 12)
    if not timescale:
        raise invalid("one of its clocks has no ticks in a second")
    extends = [trex for trex in moov.need("mvex").all("trex") if trex.u32(4) == number]
    avcc = _configuration(picture, walk, 78, "avcC")
    codecs = [f"avc1.{avcc[1:4].hex()}"]  # profile, constraints, level
    if sound := _track(moov, b"soun"):
        esds = _configuration(sound, walk, 28, "esds")
        codecs.append(f"{_MPEG4_AUDIO}.{_audio_object(esds[4:])}")
    return Movie(
        number=number,
        timescale=timescale,
        prefix=(avcc[4] & 3) + 1,
        shown_from=_shown_from(picture.find("edts", "elst")),
        size=_size(picture.need("tkhd")),
        defaults=(extends[0].u32(12), extends[0].u32(16), extends[0].u32(20)),
        codecs=",".join(codecs),
    )


def _track(moov: Box, handler: bytes) -> Box | None:
    tracks = (
        trak for trak in moov.all("trak") if bytes(trak.need("mdia", "hdlr").body[8:12]) == handler
    )
    return next(tracks, None)


def _shown_from(elst: Box | None) -> int:
    """Return the start of the first edit that is not empty (ISO/IEC 14496-12, 8.6.6)."""
    if elst is None:
        return 0
    width = 8 if elst.body[0] == 1 else 4
    stride = 2 * width + 4
    times = (
        int.from_bytes(elst.body[at + width : at + 2 * width], signed=True)
        for at in range(8, len(elst.body) - stride + 1, stride)
    )
    return next((time for time in times if time >= 0), 0)


def _size(tkhd: Box) -> tuple[int, int]:
    """Return the track's size (8.3.2), in square pixels, after its rotation."""
    at = 88 if tkhd.body[0] == 1 else 76
    width, height = (round(tkhd.u32(offset) / (1 << 16)) for offset in (at, at + 4))
    rotated = tkhd.u32(at - 36) == 0  # the matrix maps the picture's width to the screen's height
    return (height, width) if rotated else (width, height)


def _configuration(trak: Box, walk: Walk, fields: int, kind: str) -> bytes:
    """Return the decoder's configuration, which follows the fields of the sample description."""
    entry = walk.boxes(trak.need("mdia", "minf", "stbl", "stsd").body[8:])[0]
    return bytes(Box(entry.kind, entry.body, walk.boxes(entry.body[fields:])).need(kind).body)


def _audio_object(elementary: bytes) -> int:
    """Return the most capable object type: SBR and PS may be signalled after AAC (1.6.5)."""
    decoder = descriptor(elementary, descriptor(elementary, 0, 0x03) + 3, 0x04)
    begins = descriptor(elementary, decoder + 13, 0x05)
    config = elementary[begins : begins + elementary[begins - 1]]
    kind = config[0] >> 3
    if kind != _AAC_LC:
        return kind
    bits = f"{int.from_bytes(config):0{8 * len(config)}b}"
    at = 13 + (24 if bits[5:9] == "1111" else 0) + 3  # type, rate, channels; three flags
    if bits[at : at + 17] != f"{0x2B7:011b}{_SBR:05b}1":
        return kind
    at += 17 + (28 if bits[at + 17 : at + 21] == "1111" else 4)
    return _PS if bits[at : at + 12] == f"{0x548:011b}1" else _SBR
