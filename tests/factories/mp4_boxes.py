"""MP4s built box by box: small movies with any number falsified, and hostile files."""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

Clip = Callable[[str], Path]  # renders a clip by its name


def box(kind: bytes, *content: bytes) -> bytes:
    """Return a box with this content."""
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def numbers(*values: int) -> bytes:
    """Return big-endian 32-bit numbers."""
    return struct.pack(f">{len(values)}I", *values)


# Baseline, 320x180: a real parameter set that a decoder would accept.
_SPS = bytes.fromhex("42c00dd905066c0440000003004000000c03c50a9380")
_AVCC = bytes([1, 0x42, 0xC0, 13, 0xFF, 0xE1, 0, len(_SPS)]) + _SPS + b"\x01\0\4\x68\xcb\x83\xcb"


_FTYP = box(b"ftyp", b"isom", numbers(512), b"isom", b"mp41")


@dataclass(frozen=True, kw_only=True)
class MovieBuilder:
    """A complete MP4 of one H.264 track; a test may falsify any of its numbers."""

    size: tuple[int, int] = (320, 180)
    timescale: int = 1000
    duration: int = 2000
    times: tuple[tuple[int, int], ...] = ((2, 1000),)
    same_size: int = 10
    sizes: tuple[int, ...] = ()
    count: int = 2
    offsets: tuple[int, ...] | None = None  # None: one, at the start of the media data
    entry: bytes = b"avc1"
    avcc: bytes = box(b"avcC", _AVCC)
    dref_flags: int = 1
    dref_location: bytes = b""
    mvex: bytes = b""
    edits: bytes = b""
    shifts: bytes = b""
    more_tracks: int = 0
    before: bytes = b""
    after: bytes = b""
    in_moov: bytes = b""
    media: bytes = field(default=b"\0" * 64)

    def table(self) -> bytes:
        """Return the sample table with the numbers claimed."""
        offsets = self._begin() if self.offsets is None else self.offsets
        width, height = self.size
        description = bytes(24) + struct.pack(">HH", width, height) + bytes(50) + self.avcc
        timing = [number for pair in self.times for number in pair]
        return box(
            b"stbl",
            box(b"stsd", numbers(0, 1), box(self.entry, description)),
            box(b"stts", numbers(0, len(self.times), *timing)),
            self.shifts,
            box(b"stsc", numbers(0, 1, 1, min(self.count, 1 << 20), 1)),
            box(b"stsz", numbers(0, self.same_size, self.count, *self.sizes)),
            box(b"stco", numbers(0, len(offsets), *offsets)),
        )

    def _begin(self) -> tuple[int, ...]:
        before = len(_FTYP) + len(self.before) + len(replace(self, offsets=(0,)).moov())
        return (before + 8,)

    def track(self) -> bytes:
        """Return a track with this table."""
        matrix = numbers(1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
        reference = box(
            b"dinf",
            box(b"dref", numbers(0, 1), box(b"url ", numbers(self.dref_flags), self.dref_location)),
        )
        return box(
            b"trak",
            box(b"tkhd", numbers(3, 0, 0, 1, 0, self.duration, 0, 0, 0, 0), matrix, numbers(0, 0)),
            self.edits,
            box(
                b"mdia",
                box(b"mdhd", numbers(0, 0, 0, self.timescale, self.duration, 0)),
                box(b"hdlr", numbers(0, 0), b"vide", bytes(13)),
                box(b"minf", reference, self.table()),
            ),
        )

    def moov(self) -> bytes:
        """Return the movie header."""
        mvhd = box(b"mvhd", numbers(0, 0, 0, self.timescale, self.duration), bytes(80))
        tracks = self.track() * (1 + self.more_tracks)
        return box(b"moov", mvhd, tracks, self.mvex, self.in_moov)

    def bytes(self) -> bytes:
        """Return the file."""
        return _FTYP + self.before + self.moov() + box(b"mdat", self.media) + self.after


def edits(*entries: tuple[int, int], rate: int = 1 << 16) -> bytes:
    """Return an edit list; per entry, ticks of the movie, and the start in ticks of the track."""
    fields = (field & 0xFFFFFFFF for entry in entries for field in (*entry, rate))
    return box(b"edts", box(b"elst", numbers(0, len(entries), *fields)))


def replaced(data: bytes, path: tuple[bytes, ...], new: bytes) -> bytes:
    """Return the file with the first box at this path replaced; its movie header comes last."""
    at, end, ancestors = 0, len(data), []
    for kind in path:
        while data[at + 4 : at + 8] != kind:
            at += int.from_bytes(data[at : at + 4])
            assert at < end, kind
        ancestors.append(at)
        at, end = at + 8, at + int.from_bytes(data[at : at + 4])
    *ancestors, begin = ancestors
    result = bytearray(data[:begin] + new + data[end:])
    for ancestor in ancestors:
        size = int.from_bytes(result[ancestor : ancestor + 4]) + len(new) - (end - begin)
        result[ancestor : ancestor + 4] = numbers(size)
    return bytes(result)


TABLE = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


def content_at(data: bytes, path: tuple[bytes, ...]) -> bytes:
    """Return the content of the first box at this path."""
    for kind in path:
        at = 0
        while data[at + 4 : at + 8] != kind:
            at += int.from_bytes(data[at : at + 4])
        data = data[at + 8 : at + int.from_bytes(data[at : at + 4])]
    return data


def _joined(first: str, second: str) -> Callable[[Clip], bytes]:
    """Return a builder of one track: the 24 frames and the sample description of each clip."""
    return lambda clip: _one_track(clip(first).read_bytes(), clip(second).read_bytes())


def _one_track(first: bytes, second: bytes) -> bytes:
    files = (first, second)
    stsd, stsz = (
        [content_at(data, (*TABLE, kind)) for data in files] for kind in (b"stsd", b"stsz")
    )
    media = [content_at(data, (b"mdat",)) for data in files]
    begin = first.index(b"mdat") + 4
    end = begin + len(media[0])
    data = first[: begin - 8] + box(b"mdat", *media) + first[end:]
    for kind, content in (
        (b"stsd", numbers(0, 2) + stsd[0][8:] + stsd[1][8:]),
        (b"stsz", numbers(0, 0, 48) + stsz[0][12:] + stsz[1][12:]),
        (b"stts", numbers(0, 1, 48, 512)),
        (b"stsc", numbers(0, 2, 1, 24, 1, 2, 24, 2)),
        (b"stco", numbers(0, 2, begin, end)),
    ):
        data = replaced(data, (*TABLE, kind), box(kind, content))
    return replaced(data, (b"moov", b"trak", b"edts"), edits((2000, 0)))


def _edited(*entries: tuple[int, int]) -> Callable[[Clip], bytes]:
    """Return a builder of a clip with this edit list."""

    def build(clip: Clip) -> bytes:
        path = (b"moov", b"trak", b"edts")
        return replaced(clip("silent_last").read_bytes(), path, edits(*entries))

    return build


def _coloured(name: str, *codes: int) -> Callable[[Clip], bytes]:
    """Return a builder of a clip whose container states these colours."""

    def build(clip: Clip) -> bytes:
        data = clip(name).read_bytes()
        at = data.index(b"nclx") + 4
        return data[:at] + struct.pack(">3H", *codes) + data[at + 6 :]

    return build


# Clips that are patched together from rendered ones.
BUILT: dict[str, Callable[[Clip], bytes]] = {
    "two_encoders": _joined("first_part", "another_encoder"),
    "two_shapes": _joined("first_part", "another_shape"),
    "looped": _edited((2000, 0), (2000, 0)),
    "swapped": _edited((1000, 12288), (1000, 0)),
    "paused": _edited((1000, 0), (500, -1), (1000, 12288)),
    "pq_stated_709": _coloured("pq", 1, 1, 1),
    "pq_half_stated": _coloured("pq", 9, 2, 9),
    "pq_h264_stated_709": _coloured("pq_h264", 1, 1, 1),
}


def _nested(depth: int) -> bytes:
    return box(b"trak", _nested(depth - 1)) if depth else b""


def _huge_header() -> bytes:
    return MovieBuilder(in_moov=box(b"free", bytes(17 << 20))).bytes()


def _fragment(flags: int, *run: int) -> bytes:
    trun = box(b"trun", numbers(flags, *run))
    return box(b"moof", box(b"traf", box(b"tfhd", numbers(0, 1)), trun))


_DASH = b"""<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>
<AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>file:///etc/
</BaseURL></Representation></AdaptationSet></Period></MPD>"""
_TREX = box(b"mvex", box(b"trex", numbers(0, 1, 1, 40, 10, 0)))
DAY = 24 * 3600 * 1000

# Broken and hostile files, and words of the error for each.
HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "frames_in_microseconds": (
        lambda: MovieBuilder(timescale=8_355_864, times=((48, 1),), count=48, same_size=1).bytes(),
        "1000 frames a second",
    ),
    "empty": (lambda: b"", "empty"),
    "hls": (lambda: b"#EXTM3U\n#EXTINF:2,\nfile:///etc/passwd\n", "playlist"),
    "dash": (lambda: _DASH, "DASH"),
    "concat": (lambda: b"ffconcat version 1.0\nfile other.mp4\n", "list of other files"),
    "sdp": (lambda: b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n", "session description"),
    "html": (lambda: b"\n<!DOCTYPE html><html>Not found", "web page"),
    "svg": (lambda: b'<?xml version="1.0"?><svg xmlns="x"/>', "SVG"),
    "json": (lambda: b'{"detail": "Not found"}', "JSON"),
    "noise": (lambda: bytes(range(1, 200)), "does not begin"),
    "ftyp_alone": (lambda: MovieBuilder().bytes()[:24], "no movie header"),
    "cut_media": (lambda: MovieBuilder().bytes()[:-10], "10 bytes of its media data are missing"),
    "cut_header": (lambda: MovieBuilder().bytes()[:300], "movie header are missing"),
    "cut_box_header": (
        lambda: MovieBuilder(mvex=_TREX, after=_fragment(0, 1) + b"\0\0\1").bytes(),
        "inside the header of a box",
    ),
    "size_below_header": (
        lambda: MovieBuilder(before=numbers(4, 0)).bytes(),
        "smaller than its own",
    ),
    "size_beyond_file": (lambda: MovieBuilder(before=numbers(1 << 31, 0)).bytes(), "cut short"),
    "wide_size": (
        lambda: MovieBuilder(after=numbers(1, 0x66726565, 1 << 31, 0)).bytes(),
        "cut short",
    ),
    "zero_in_moov": (lambda: MovieBuilder(in_moov=numbers(0, 0x66726565)).bytes(), "does not fit"),
    "beyond_moov": (lambda: MovieBuilder(in_moov=numbers(9999, 0)).bytes(), "does not fit"),
    "wide_in_moov": (
        lambda: MovieBuilder(in_moov=numbers(1, 0)).bytes(),
        "shorter than the fields",
    ),
    "two_headers": (lambda: MovieBuilder(after=MovieBuilder().moov()).bytes(), "more than one"),
    "compressed": (lambda: MovieBuilder(in_moov=box(b"cmov")).bytes(), "compressed"),
    "reference_movie": (lambda: MovieBuilder(in_moov=box(b"rmra")).bytes(), "other files"),
    "deep": (lambda: MovieBuilder(in_moov=_nested(500)).bytes(), "nested"),
    "many_boxes": (lambda: MovieBuilder(before=box(b"free") * 30_000).bytes(), "boxes"),
    "many_boxes_in_moov": (lambda: MovieBuilder(in_moov=box(b"free") * 30_000).bytes(), "boxes"),
    "many_tracks": (lambda: MovieBuilder(more_tracks=20).bytes(), "tracks"),
    "huge_header": (_huge_header, "larger than"),
    "samples_64Mi": (lambda: MovieBuilder(count=64 << 20).bytes(), "claims 67108864 samples"),
    "sizes_missing": (
        lambda: MovieBuilder(same_size=0, count=900).bytes(),
        "more entries than it has",
    ),
    "sizes_beyond": (
        lambda: MovieBuilder(same_size=0, sizes=(10, 9999)).bytes(),
        "more bytes than",
    ),
    "same_size_beyond": (lambda: MovieBuilder(same_size=9999).bytes(), "more bytes than"),
    "times_disagree": (lambda: MovieBuilder(times=((3, 1),)).bytes(), "disagree"),
    "no_table": (lambda: MovieBuilder(offsets=()).bytes(), "no chunks"),
    "offset_beyond": (lambda: MovieBuilder(offsets=(1 << 30,)).bytes(), "beyond the end"),
    "huge_frames": (lambda: MovieBuilder(size=(16000, 16000)).bytes(), "16000x16000"),
    "a_day_in_fact": (
        lambda: MovieBuilder(duration=DAY, times=((2, DAY // 2),)).bytes(),
        "86400 s",
    ),
    "no_pixels": (lambda: MovieBuilder(size=(0, 180)).bytes(), "0x180"),
    "ten_hours": (lambda: MovieBuilder(duration=10 * 3600 * 1000).bytes(), "longer than 600 s"),
    "ten_hours_of_samples": (
        lambda: MovieBuilder(
            same_size=0, times=((36000, 1000),), count=36000, sizes=(0,) * 36000
        ).bytes(),
        "longer than 600 s",
    ),
    "sample_gap": (lambda: MovieBuilder(times=((1, DAY), (1, 1))).bytes(), "longer than 600 s"),
    "shift_gap": (
        lambda: MovieBuilder(shifts=box(b"ctts", numbers(0, 1, 2, DAY))).bytes(),
        "composition offset",
    ),
    "edit_gap": (
        lambda: MovieBuilder(
            edits=box(b"edts", box(b"elst", numbers(0, 1, DAY, 0xFFFFFFFF, 1)))
        ).bytes(),
        "edits",
    ),
    "many_edits": (
        lambda: MovieBuilder(edits=box(b"edts", box(b"elst", numbers(0, 1 << 28)))).bytes(),
        "edit list",
    ),
    "no_clock": (lambda: MovieBuilder(timescale=0).bytes(), "timescale of 0"),
    "elsewhere": (lambda: MovieBuilder(dref_flags=0).bytes(), "another file"),
    "no_configuration": (lambda: MovieBuilder(avcc=b"").bytes(), "configuration"),
    "short_configuration": (lambda: MovieBuilder(avcc=box(b"avcC", b"\1")).bytes(), "shorter than"),
    "no_frames": (lambda: MovieBuilder(times=(), count=0, offsets=()).bytes(), "no frames"),
    "fragment_samples": (
        lambda: MovieBuilder(mvex=_TREX, after=_fragment(0, 0xFFFFFFFF)).bytes(),
        "samples; at most",
    ),
    "fragment_gap": (
        lambda: MovieBuilder(mvex=_TREX, after=_fragment(0x100, 1, DAY)).bytes(),
        "longer than 600 s",
    ),
    "fragment_short": (
        lambda: MovieBuilder(mvex=_TREX, after=_fragment(0x100, 9, 1)).bytes(),
        "more entries",
    ),
}

# Other media and honest files beyond the limits, and words of the error for each.
UNSUPPORTED: dict[str, tuple[Callable[[], bytes], str]] = {
    "webm": (lambda: b"\x1a\x45\xdf\xa3" + bytes(40), "WebM"),
    "avi": (lambda: b"RIFF\0\0\0\0AVI LIST", "AVI"),
    "png": (lambda: b"\x89PNG\r\n\x1a\n", "image"),
    "wave": (lambda: b"RIFF\0\0\0\0WAVEfmt ", "audio"),
    "avif": (lambda: box(b"ftyp", b"avif", bytes(8)), "still image"),
    "stills_beside": (lambda: MovieBuilder(after=box(b"meta")).bytes(), "still images"),
    "encrypted": (lambda: MovieBuilder(entry=b"encv").bytes(), "encrypted"),
    "unknown_codec": (lambda: MovieBuilder(entry=b"\n\r<!").bytes(), "codec"),
    "transport_stream": (lambda: (b"\x47" + bytes(187)) * 3, "transport stream"),
    "program_stream": (lambda: b"\0\0\x01\xba" + bytes(40), "program stream"),
    "windows_media": (lambda: b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + bytes(8), "Windows Media"),
    "without_ftyp": (lambda: MovieBuilder().bytes()[len(_FTYP) :], "old QuickTime"),
    "large_frames": (lambda: MovieBuilder(size=(4608, 2592)).bytes(), "4608x2592"),
    "tiny_frames": (lambda: MovieBuilder(size=(1, 180)).bytes(), "under 16"),
    "long": (lambda: MovieBuilder(duration=605_000, times=((2, 302_500),)).bytes(), "605 s long"),
    "pause": (
        lambda: MovieBuilder(edits=edits((1000, 0), (500, -1), (1000, 1000))).bytes(),
        "pauses",
    ),
    "held_picture": (
        lambda: MovieBuilder(edits=edits((1000, 0), (2000, 0), rate=0)).bytes(),
        "freezes",
    ),
    "loops_for_long": (
        lambda: MovieBuilder(times=((2, 1500),), edits=edits(*[(3000, 0)] * 256)).bytes(),
        "more than 600 s",
    ),
}
