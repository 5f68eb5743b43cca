"""Clips that a real ffmpeg renders, once in a session, and hostile files, built box by box."""

import atexit
import functools
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import imageio_ffmpeg

from worker.formats.tags import Tags

SECONDS = 2

_AAC = ("-c:a", "aac")
_X264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-profile:v")
_FAST = ("-movflags", "+faststart")
_X265 = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none")
_HEVC = (*_X265, "-tag:v", "hvc1")
_VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8")
_UNEVEN = "select=not(eq(mod(n\\,5)\\,1))"
_LONG_END = "setts=duration=if(eq(N\\,1)\\,48*DURATION\\,DURATION)"
_CLEAR = "format=yuva444p10le,colorchannelmixer=aa=0"
_GREEN = (
    "geq=r=20:g=200:b=60,scale=out_color_matrix=bt709:out_range=limited,format=yuv420p,"
    "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709"
)
_GREEN_UNTOLD = (
    "scale=1280:720,geq=r=20:g=200:b=60,scale=out_color_matrix={}:out_range=limited,format=yuv420p,"
    "setparams=range=unknown:color_primaries=unknown:color_trc=unknown:colorspace=unknown"
)
_TOLD = "setparams=range={0}:color_primaries={1}:color_trc={1}:colorspace={1}"

# The left half is grey of 18 %, the right half white on paper: in PQ 26 and 203 cd/m2 (BT.2408).
_HALVES = "format=yuv420p10le,geq=lum=if(lt(X\\,W/2)\\,397\\,{}):cb=512:cr=512"
_COLOURS = "setparams=range=tv:color_primaries=bt2020:color_trc={}:colorspace=bt2020nc"
_PQ = f"{_HALVES.format(573)},{_COLOURS.format('smpte2084')}"
_PQ_TOLD = _COLOURS.format("smpte2084")
_HLG = f"{_HALVES.format(721)},{_COLOURS.format('arib-std-b67')}"
_WIDE_GAMUT = f"{_HALVES.format(940)},{_COLOURS.format('bt709')}"
_X264_10 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le")
_RGB = ("-c:v", "libx264rgb", "-preset", "ultrafast")
_UNTOLD = "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:log-level=none"
_601 = "colorprim=smpte170m:transfer=smpte170m:colormatrix=smpte170m"
_SAID_601 = ("-x264-params", _601)
_X265_601 = (*_HEVC, "-x265-params", f"{_601}:log-level=none")
# Two moments in each picture: a bar that moves fast enough to be seen twice.
_FIELDS = (
    "fps=48,geq=lum=if(between(mod(X-16*N\\,320)\\,0\\,40)\\,235\\,16):cb=128:cr=128,"
    "interlace=lowpass=0:scan=tff,setfield=tff"
)
_FIELDED = ("-flags", "+ildct+ilme")
_X264_FIELDS = ("-flags", "+ildct+ilme", "-x264-params", "tff=1")

CLIPS: dict[str, tuple[str, ...]] = {
    "high": (*_X264, "high", *_AAC, *_FAST),
    "main": (*_X264, "main", *_AAC, *_FAST),
    "baseline": (*_X264, "baseline", *_AAC, *_FAST),
    "moov_last": (*_X264, "high", *_AAC),
    "no_audio": (*_X264, "high", "-an", *_FAST),
    "short": (*_X264, "high", *_AAC, *_FAST, "-t", "0.5"),
    "one_frame": (*_X264, "high", *_AAC, *_FAST, "-frames:v", "1", "-t", "0.042"),
    "two_frames": (*_HEVC, "-pix_fmt", "yuv420p", "-an", "-vf", "fps=60", "-frames:v", "2"),
    "slow": (*_X264, "high", *_AAC, *_FAST, "-vf", "select=not(mod(n\\,3))", "-fps_mode", "vfr"),
    "keyed": (*_X264, "high", *_AAC, *_FAST, "-g", "7", "-bf", "3", "-b_strategy", "0"),
    "uneven": (*_X264, "high", "-an", *_FAST, "-g", "5", "-vf", _UNEVEN, "-fps_mode", "vfr"),
    "long_end": (*_X264, "high", "-an", *_FAST, "-frames:v", "2", "-bsf:v", _LONG_END),
    "fragmented": (*_X264, "high", *_AAC, "-movflags", "frag_keyframe+empty_moov", "-g", "12"),
    "quicktime": (*_X264, "high", *_AAC, "-f", "mov"),
    "two_sounds": (*_X264, "high", *_AAC, *_FAST, "-map", "0:v", "-map", "1:a", "-map", "1:a"),
    "ten_bit": ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le", *_AAC),
    "full_chroma": ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv444p", *_AAC),
    "hevc": (*_HEVC, "-pix_fmt", "yuv420p", *_AAC),
    "hevc_ten_bit": (*_HEVC, "-pix_fmt", "yuv420p10le", *_AAC),
    "vp9": (*_VP9, "-pix_fmt", "yuv420p", "-c:a", "libopus"),
    "odd_size": (*_VP9, "-pix_fmt", "yuv420p", "-vf", "scale=321:181", "-an"),
    "tall": (*_X264, "high", "-vf", "scale=480:640,setsar=1", *_AAC, *_FAST),
    "anamorphic": (*_HEVC, "-pix_fmt", "yuv420p", "-vf", "scale=320:240,setsar=4/3", "-an"),
    "vfr": (*_HEVC, "-pix_fmt", "yuv420p", "-vf", _UNEVEN, "-fps_mode", "vfr", *_AAC),
    "colours": (*_HEVC, "-pix_fmt", "yuv420p", "-vf", _TOLD.format("tv", "bt709"), "-an"),
    "colours_601": (*_HEVC, "-pix_fmt", "yuv420p", "-vf", _TOLD.format("tv", "smpte170m"), "-an"),
    "colours_full": (*_HEVC, "-vf", f"scale=out_range=full,{_TOLD.format('pc', 'bt709')}", "-an"),
    "green": (*_X264, "high", "-vf", _GREEN, "-an", *_FAST),
    "hd": (*_X264, "high", "-vf", _GREEN_UNTOLD.format("bt709"), "-an", "-t", "0.5"),
    "hd_hevc": (*_HEVC, "-vf", _GREEN_UNTOLD.format("bt709"), "-an", "-t", "0.5"),
    "hd_601": (
        *_X264,
        "high",
        "-vf",
        _GREEN_UNTOLD.format("bt601"),
        *_SAID_601,
        "-an",
        "-t",
        "0.5",
    ),
    "hd_601_hevc": (*_X265_601, "-vf", _GREEN_UNTOLD.format("bt601"), "-an", "-t", "0.5"),
    "sd": (*_X264, "high", "-vf", _GREEN_UNTOLD.format("bt601") + ",scale=640:360", "-an"),
    "hd_vp9": (*_VP9, "-vf", _GREEN_UNTOLD.format("bt709"), "-an", "-t", "0.5"),
    "rgb": (*_RGB, "-vf", "scale=1280:720,geq=r=20:g=200:b=60,format=rgb24", "-an", "-t", "0.5"),
    "rgb_sd": (*_RGB, "-vf", "geq=r=20:g=200:b=60,format=rgb24", "-an", "-t", "0.5"),
    "rgb_vp9": (
        *_VP9,
        "-vf",
        "scale=1280:720,geq=r=20:g=200:b=60,format=gbrp",
        "-an",
        "-t",
        "0.5",
    ),
    "mpeg4": ("-c:v", "mpeg4", "-q:v", "5", "-an"),
    "silent_last": (*_X264, "high", "-bf", "0", "-an"),
    "first_part": (*_X264, "high", "-bf", "0", "-an", "-t", "1"),
    "another_encoder": (*_X264, "main", "-coder", "0", "-bf", "0", "-an", "-t", "1"),
    "another_shape": (*_X264_10, "-bf", "0", "-vf", "scale=640:360", "-an", "-t", "1"),
    "sound_ends": (*_X264, "high", *_AAC, "-filter:a", "atrim=end=0.5", *_FAST),
    "fields": (*_X264, "high", "-vf", _FIELDS, *_X264_FIELDS, "-an", *_FAST),
    "fields_prores": ("-c:v", "prores_ks", "-vf", _FIELDS, *_FIELDED, "-an", "-f", "mov"),
    "alpha": ("-c:v", "prores_ks", "-profile:v", "4444", "-vf", _CLEAR, "-an", "-f", "mov"),
    "alpha_xq": ("-c:v", "prores_ks", "-profile:v", "4444xq", "-vf", _CLEAR, "-an", "-f", "mov"),
    "silent": (*_X264, "high", "-filter:a", "volume=0", *_AAC, *_FAST),
    "two_pictures": (*_X264, "high", "-map", "0:v", "-map", "0:v", "-map", "1:a", *_AAC),
    "opus": (*_X264, "high", "-c:a", "libopus"),
    "wide": (*_X264, "high", "-vf", "scale=1600:64,setsar=1", "-an", *_FAST),
    "pq": (*_HEVC, "-pix_fmt", "yuv420p10le", "-vf", _PQ, *_AAC),
    "pq_untold": (*_HEVC, "-vf", _HALVES.format(573), "-x265-params", _UNTOLD, *_AAC),
    "pq_h264": (*_X264_10, "-vf", _PQ, *_AAC),
    "pq_8_bits": (*_X264, "high", "-vf", f"{_PQ},format=yuv420p", *_AAC),
    "pq_prores": ("-c:v", "prores_ks", "-vf", _PQ, "-an", "-f", "mov", "-t", "1"),
    "pq_odd": (*_VP9, "-pix_fmt", "yuv420p10le", "-vf", f"scale=321:181,{_PQ}", "-an"),
    "uhd": (*_HEVC, "-vf", f"scale=3840:2160,format=yuv420p10le,{_PQ_TOLD}", "-an", "-t", "0.5"),
    "hlg": (*_HEVC, "-pix_fmt", "yuv420p10le", "-vf", _HLG, *_AAC),
    "wide_gamut": (*_HEVC, "-pix_fmt", "yuv420p10le", "-vf", _WIDE_GAMUT, *_AAC),
    "prores": ("-c:v", "prores_ks", "-profile:v", "0", "-c:a", "pcm_s16le", "-f", "mov", "-t", "1"),
}
# What is cut off or put off without being encoded again has an edit list.
REMUXED: dict[str, tuple[str, tuple[str, ...]]] = {
    "cut": ("keyed", ("-ss", "0.7", "-i", "{}", "-c", "copy")),
    "late": (
        "keyed",
        ("-itsoffset", "0.3", "-i", "{}", "-i", "{}", "-map", "0:v", "-map", "1:a", "-c", "copy"),
    ),
}
_BOTH = ("-map", "0:v", "-map", "1:a", "-c", "copy")
# Of codecs whose one keyframe is the first: all frames before a cut are there, and hidden.
for _codec in ("high", "hevc"):
    REMUXED |= {
        f"hidden_{_codec}": (_codec, ("-ss", "1.5", "-i", "{}", "-c", "copy")),
        f"later_{_codec}": (_codec, ("-itsoffset", "1.5", "-i", "{}", "-i", "{}", *_BOTH)),
        f"both_later_{_codec}": (
            _codec,
            ("-itsoffset", "1.5", "-i", "{}", *_BOTH[:2], "-map", "0:a", "-c", "copy"),
        ),
        f"later_alone_{_codec}": (
            _codec,
            ("-itsoffset", "1.5", "-i", "{}", *_BOTH[:2], "-c", "copy"),
        ),
        f"sound_later_{_codec}": (_codec, ("-i", "{}", "-itsoffset", "1.5", "-i", "{}", *_BOTH)),
        f"sound_longer_{_codec}": (_codec, ("-ss", "1.6", "-i", "{}", "-i", "{}", *_BOTH)),
    }
for _codec in ("hd_hevc", "hd_vp9", "mpeg4"):
    REMUXED[f"cut_{_codec}"] = (_codec, ("-ss", "0.2", "-i", "{}", "-c", "copy"))
REMUXED["sound_over"] = ("sound_ends", ("-ss", "1.5", "-i", "{}", "-c", "copy"))
TURNED = {"turned": "high", "turned_hevc": "hevc"}


@functools.cache
def ffmpeg_program() -> str:
    """The ffmpeg that clips are rendered and outputs are read with."""
    return str(imageio_ffmpeg.get_ffmpeg_exe())


@functools.cache
def _directory() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="falhook-clips-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


@functools.cache
def clip(name: str) -> Path:
    """A clip of 2 s, 320x180 and 24 frames per second, unless its name says otherwise."""
    path = _directory() / f"{name}.mp4"
    if name in BUILT:
        path.write_bytes(BUILT[name]())
        return path
    if name in TURNED:
        turn = ("-display_rotation", "-90", "-i", str(clip(TURNED[name])), "-c", "copy")
        ffmpeg(*turn, "-f", "mp4", str(path))
        return path
    if name in REMUXED:
        of, options = REMUXED[name]
        copy = (option.format(clip(of)) for option in options)
        ffmpeg(*copy, *_FAST, "-f", "mp4", str(path))
        return path
    picture = ("-f", "lavfi", "-i", f"testsrc2=s=320x180:r=24:d={SECONDS}")
    sound = ("-f", "lavfi", "-i", f"sine=f=440:d={SECONDS}")
    container = () if "-f" in CLIPS[name] else ("-f", "mp4")
    ffmpeg(*picture, *sound, *CLIPS[name], *container, str(path))
    return path


def ffmpeg(*arguments: str) -> str:
    """What an ffmpeg without any limit writes to its standard output."""
    command = [ffmpeg_program(), "-hide_banner", "-loglevel", "error", "-y", *arguments]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60
    )
    return done.stdout


def described(path: Path) -> str:
    """What ffmpeg says of a file when it opens it: streams, colours, tags."""
    command = [ffmpeg_program(), "-hide_banner", "-i", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stderr


def packets(path: Path, stream: str) -> list[tuple[str, str]]:
    """Size and MD5 of every packet of one stream, undecoded, in order."""
    chosen = ("-map", f"0:{stream}", "-c", "copy", "-f", "framehash", "-hash", "md5", "-")
    lines = ffmpeg("-i", str(path), *chosen).splitlines()
    fields = [line.split(",") for line in lines if not line.startswith("#")]
    return [(field[4].strip(), field[5].strip()) for field in fields]


def tags(**changes: str) -> Tags:
    """One job's tags."""
    made = Tags(
        title="A fox in the snow",
        comment="made for a test",
        job_id="job-1",
        endpoint="fal-ai/kling-video/v2.1/master/text-to-video",
        request_id="request-1",
        created=datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def script(path: Path, body: str) -> Path:
    """A program that stands where ffmpeg would."""
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def box(kind: bytes, *content: bytes) -> bytes:
    """A box around this content."""
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def numbers(*values: int) -> bytes:
    """Big-endian 32-bit numbers."""
    return struct.pack(f">{len(values)}I", *values)


# Baseline, 320x180: a real parameter set, so that a decoder would take it up.
_SPS = bytes.fromhex("42c00dd905066c0440000003004000000c03c50a9380")
_AVCC = bytes([1, 0x42, 0xC0, 13, 0xFF, 0xE1, 0, len(_SPS)]) + _SPS + b"\x01\0\4\x68\xcb\x83\xcb"


_FTYP = box(b"ftyp", b"isom", numbers(512), b"isom", b"mp41")


@dataclass(frozen=True, kw_only=True)
class MovieBuilder:
    """A whole MP4 of one H.264 track, every number of which a test may falsify."""

    size: tuple[int, int] = (320, 180)
    timescale: int = 1000
    duration: int = 2000
    times: tuple[tuple[int, int], ...] = ((2, 1000),)
    same_size: int = 10
    sizes: tuple[int, ...] = ()
    count: int = 2
    offsets: tuple[int, ...] | None = None  # None: one, where the media data begins
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
        """The sample table, as claimed."""
        offsets = self._begin() if self.offsets is None else self.offsets
        width, height = self.size
        picture = bytes(24) + struct.pack(">HH", width, height) + bytes(50) + self.avcc
        timing = [number for pair in self.times for number in pair]
        return box(
            b"stbl",
            box(b"stsd", numbers(0, 1), box(self.entry, picture)),
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
        """The track around it."""
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
        """The movie header."""
        mvhd = box(b"mvhd", numbers(0, 0, 0, self.timescale, self.duration), bytes(80))
        tracks = self.track() * (1 + self.more_tracks)
        return box(b"moov", mvhd, tracks, self.mvex, self.in_moov)

    def bytes(self) -> bytes:
        """The file."""
        return _FTYP + self.before + self.moov() + box(b"mdat", self.media) + self.after


def edits(*entries: tuple[int, int], rate: int = 1 << 16) -> bytes:
    """An edit list: per entry, ticks of the movie that are shown, and from when of the track."""
    fields = (field & 0xFFFFFFFF for entry in entries for field in (*entry, rate))
    return box(b"edts", box(b"elst", numbers(0, len(entries), *fields)))


def replaced(data: bytes, path: tuple[bytes, ...], new: bytes) -> bytes:
    """A file whose movie header comes last, with another box where the first at this path was."""
    at, end, ancestors = 0, len(data), []
    for kind in path:
        while data[at + 4 : at + 8] != kind:
            at += int.from_bytes(data[at : at + 4])
            assert at < end, kind
        ancestors.append(at)
        at, end = at + 8, at + int.from_bytes(data[at : at + 4])
    *ancestors, begin = ancestors
    made = bytearray(data[:begin] + new + data[end:])
    for ancestor in ancestors:
        size = int.from_bytes(made[ancestor : ancestor + 4]) + len(new) - (end - begin)
        made[ancestor : ancestor + 4] = numbers(size)
    return bytes(made)


TABLE = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


def held_at(data: bytes, path: tuple[bytes, ...]) -> bytes:
    """What the first box at this path holds."""
    for kind in path:
        at = 0
        while data[at + 4 : at + 8] != kind:
            at += int.from_bytes(data[at : at + 4])
        data = data[at + 8 : at + int.from_bytes(data[at : at + 4])]
    return data


def _joined(first: str, second: str) -> bytes:
    """The 24 frames each of two clips in one track, which describes both."""
    made = [clip(name).read_bytes() for name in (first, second)]
    stsd, stsz = ([held_at(data, (*TABLE, kind)) for data in made] for kind in (b"stsd", b"stsz"))
    media = [held_at(data, (b"mdat",)) for data in made]
    begin = made[0].index(b"mdat") + 4
    end = begin + len(media[0])
    data = made[0][: begin - 8] + box(b"mdat", *media) + made[0][end:]
    for kind, content in (
        (b"stsd", numbers(0, 2) + stsd[0][8:] + stsd[1][8:]),
        (b"stsz", numbers(0, 0, 48) + stsz[0][12:] + stsz[1][12:]),
        (b"stts", numbers(0, 1, 48, 512)),
        (b"stsc", numbers(0, 2, 1, 24, 1, 2, 24, 2)),
        (b"stco", numbers(0, 2, begin, end)),
    ):
        data = replaced(data, (*TABLE, kind), box(kind, content))
    return replaced(data, (b"moov", b"trak", b"edts"), edits((2000, 0)))


def _edited(*entries: tuple[int, int]) -> Callable[[], bytes]:
    def make() -> bytes:
        path = (b"moov", b"trak", b"edts")
        return replaced(clip("silent_last").read_bytes(), path, edits(*entries))

    return make


def _coloured(name: str, *codes: int) -> Callable[[], bytes]:
    """A clip whose container tells these colours."""

    def make() -> bytes:
        data = clip(name).read_bytes()
        at = data.index(b"nclx") + 4
        return data[:at] + struct.pack(">3H", *codes) + data[at + 6 :]

    return make


BUILT: dict[str, Callable[[], bytes]] = {
    "two_encoders": lambda: _joined("first_part", "another_encoder"),
    "two_shapes": lambda: _joined("first_part", "another_shape"),
    "looped": _edited((2000, 0), (2000, 0)),
    "swapped": _edited((1000, 12288), (1000, 0)),
    "paused": _edited((1000, 0), (500, -1), (1000, 12288)),
    "pq_said_709": _coloured("pq", 1, 1, 1),
    "pq_half_said": _coloured("pq", 9, 2, 9),
    "pq_h264_said_709": _coloured("pq_h264", 1, 1, 1),
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
    "cut_media": (lambda: MovieBuilder().bytes()[:-10], "10 bytes of its media data miss"),
    "cut_header": (lambda: MovieBuilder().bytes()[:300], "movie header miss"),
    "cut_box_header": (lambda: MovieBuilder().bytes() + b"\0\0\0", "inside the header of a box"),
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
    "no_table": (lambda: MovieBuilder(offsets=()).bytes(), "nowhere"),
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
        "shift",
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
    "no_clock": (lambda: MovieBuilder(timescale=0).bytes(), "no ticks"),
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

UNSUPPORTED: dict[str, tuple[Callable[[], bytes], str]] = {
    "webm": (lambda: b"\x1a\x45\xdf\xa3" + bytes(40), "WebM"),
    "avi": (lambda: b"RIFF\0\0\0\0AVI LIST", "AVI"),
    "png": (lambda: b"\x89PNG\r\n\x1a\n", "picture"),
    "wave": (lambda: b"RIFF\0\0\0\0WAVEfmt ", "audio"),
    "avif": (lambda: box(b"ftyp", b"avif", bytes(8)), "still picture"),
    "stills_beside": (lambda: MovieBuilder(after=box(b"meta")).bytes(), "still pictures"),
    "encrypted": (lambda: MovieBuilder(entry=b"encv").bytes(), "encrypted"),
    "unknown_codec": (lambda: MovieBuilder(entry=b"\n\r<!").bytes(), "codec"),
    "transport_stream": (lambda: (b"\x47" + bytes(187)) * 3, "transport stream"),
    "program_stream": (lambda: b"\0\0\x01\xba" + bytes(40), "program stream"),
    "windows_media": (lambda: b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + bytes(8), "Windows Media"),
    "without_ftyp": (lambda: MovieBuilder().bytes()[len(_FTYP) :], "old QuickTime"),
    "large_frames": (lambda: MovieBuilder(size=(4608, 2592)).bytes(), "4608x2592"),
    "tiny_frames": (lambda: MovieBuilder(size=(1, 180)).bytes(), "less than 16"),
    "long": (lambda: MovieBuilder(duration=605_000, times=((2, 302_500),)).bytes(), "605 s long"),
    "pause": (
        lambda: MovieBuilder(edits=edits((1000, 0), (500, -1), (1000, 1000))).bytes(),
        "pauses",
    ),
    "held_picture": (
        lambda: MovieBuilder(edits=edits((1000, 0), (2000, 0), rate=0)).bytes(),
        "holds",
    ),
    "loops_for_long": (
        lambda: MovieBuilder(times=((2, 1500),), edits=edits(*[(3000, 0)] * 256)).bytes(),
        "more than 600 s",
    ),
}
