"""Clips that a real ffmpeg renders, once per session."""

import atexit
import functools
import shutil
import subprocess
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tests.factories.mp4_boxes import BUILT
from worker.formats.tags import Tags
from worker.transcode.ffmpeg.discovery import locate

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
_GREEN_UNSTATED = (
    "scale=1280:720,geq=r=20:g=200:b=60,scale=out_color_matrix={}:out_range=limited,format=yuv420p,"
    "setparams=range=unknown:color_primaries=unknown:color_trc=unknown:colorspace=unknown"
)
_STATED = "setparams=range={0}:color_primaries={1}:color_trc={1}:colorspace={1}"

# The left half is 18 % grey, the right half diffuse white: in PQ 26 and 203 cd/m2 (BT.2408).
_HALVES = "format=yuv420p10le,geq=lum=if(lt(X\\,W/2)\\,397\\,{}):cb=512:cr=512"
_COLOURS = "setparams=range=tv:color_primaries=bt2020:color_trc={}:colorspace=bt2020nc"
_PQ = f"{_HALVES.format(573)},{_COLOURS.format('smpte2084')}"
_PQ_STATED = _COLOURS.format("smpte2084")
_HLG = f"{_HALVES.format(721)},{_COLOURS.format('arib-std-b67')}"
_WIDE_GAMUT = f"{_HALVES.format(940)},{_COLOURS.format('bt709')}"
_X264_10 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le")
_RGB = ("-c:v", "libx264rgb", "-preset", "ultrafast")
_PQ_IN_SPS = "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:log-level=none"
# 18 % green in HD, in the matrix that is all that the stream states: of JPEG frames, for example.
_BT470BG = _GREEN_UNSTATED.format("bt601") + ",setparams=colorspace=bt470bg"
_SVT = ("-c:v", "libsvtav1", "-preset", "12", "-svtav1-params", "lp=1")
_PRORES_422 = ("-c:v", "prores_ks", "-f", "mov")
_PARTLY = "setparams=range=tv:color_primaries={}:color_trc={}:colorspace={}"
_601 = "colorprim=smpte170m:transfer=smpte170m:colormatrix=smpte170m"
_STATED_601 = ("-x264-params", _601)
_X265_601 = (*_HEVC, "-x265-params", f"{_601}:log-level=none")
# Two fields in each frame: a bar that moves fast enough to be seen twice.
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
    "colours": (*_HEVC, "-pix_fmt", "yuv420p", "-vf", _STATED.format("tv", "bt709"), "-an"),
    "colours_601": (*_HEVC, "-pix_fmt", "yuv420p", "-vf", _STATED.format("tv", "smpte170m"), "-an"),
    "colours_full": (*_HEVC, "-vf", f"scale=out_range=full,{_STATED.format('pc', 'bt709')}", "-an"),
    "green": (*_X264, "high", "-vf", _GREEN, "-an", *_FAST),
    "hd": (*_X264, "high", "-vf", _GREEN_UNSTATED.format("bt709"), "-an", "-t", "0.5"),
    "hd_hevc": (*_HEVC, "-vf", _GREEN_UNSTATED.format("bt709"), "-an", "-t", "0.5"),
    "hd_601": (
        *_X264,
        "high",
        "-vf",
        _GREEN_UNSTATED.format("bt601"),
        *_STATED_601,
        "-an",
        "-t",
        "0.5",
    ),
    "hd_601_hevc": (*_X265_601, "-vf", _GREEN_UNSTATED.format("bt601"), "-an", "-t", "0.5"),
    "sd": (*_X264, "high", "-vf", _GREEN_UNSTATED.format("bt601") + ",scale=640:360", "-an"),
    "hd_av1": (*_SVT, "-vf", _GREEN_UNSTATED.format("bt709"), "-an", "-t", "0.5"),
    "hd_vp9": (*_VP9, "-vf", _GREEN_UNSTATED.format("bt709"), "-an", "-t", "0.5"),
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
    "pq_unstated": (*_HEVC, "-vf", _HALVES.format(573), "-x265-params", _PQ_IN_SPS, *_AAC),
    "pq_h264": (*_X264_10, "-vf", _PQ, *_AAC),
    "pq_8_bits": (*_X264, "high", "-vf", f"{_PQ},format=yuv420p", *_AAC),
    "pq_prores": ("-c:v", "prores_ks", "-vf", _PQ, "-an", "-f", "mov", "-t", "1"),
    "pq_odd": (*_VP9, "-pix_fmt", "yuv420p10le", "-vf", f"scale=321:181,{_PQ}", "-an"),
    "uhd": (*_HEVC, "-vf", f"scale=3840:2160,format=yuv420p10le,{_PQ_STATED}", "-an", "-t", "0.5"),
    "hlg": (*_HEVC, "-pix_fmt", "yuv420p10le", "-vf", _HLG, *_AAC),
    "wide_gamut": (*_HEVC, "-pix_fmt", "yuv420p10le", "-vf", _WIDE_GAMUT, *_AAC),
    "prores": ("-c:v", "prores_ks", "-profile:v", "0", "-c:a", "pcm_s16le", "-f", "mov", "-t", "1"),
}
# Streams that state one or two of primaries, transfer and matrix; their containers state nothing.
for _codec, _encode, _deep in (
    ("hevc", _HEVC, "yuv420p10le"),
    ("av1", _SVT, "yuv420p10le"),
    ("prores", _PRORES_422, "yuv422p10le"),
):
    CLIPS[f"partly_470_{_codec}"] = (*_encode, "-vf", _BT470BG, "-an", "-t", "0.5")
    for _name, _codes in {
        "alone": ("unknown", "smpte2084", "unknown"),
        "with_matrix": ("unknown", "smpte2084", "bt2020nc"),
        "with_primaries": ("bt2020", "smpte2084", "unknown"),
    }.items():
        _light = f"format={_deep},{_HALVES.format(573).partition(',')[2]},{_PARTLY.format(*_codes)}"
        CLIPS[f"partly_pq_{_name}_{_codec}"] = (*_encode, "-vf", _light, "-an", "-t", "0.5")
CLIPS["partly_470_h264"] = (*_X264, "high", "-vf", _BT470BG, "-an", "-t", "0.5")
CLIPS["partly_470_vp9"] = (*_VP9, "-vf", _BT470BG, "-an", "-t", "0.5")
CLIPS["partly_470_hevc_10"] = (
    *_HEVC,
    "-vf",
    f"{_BT470BG},format=yuv420p10le",
    "-an",
    "-t",
    "0.5",
)
# Clips that are cut or delayed without encoding have an edit list.
REMUXED: dict[str, tuple[str, tuple[str, ...]]] = {
    "cut": ("keyed", ("-ss", "0.7", "-i", "{}", "-c", "copy")),
    "late": (
        "keyed",
        ("-itsoffset", "0.3", "-i", "{}", "-i", "{}", "-map", "0:v", "-map", "1:a", "-c", "copy"),
    ),
}
_BOTH = ("-map", "0:v", "-map", "1:a", "-c", "copy")
# Their only keyframe is the first frame: all frames before a cut are kept, and hidden.
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
    """Return the ffmpeg that renders clips and reads outputs."""
    return str(locate(None))


@functools.cache
def _directory() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="falhook-clips-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


@functools.cache
def clip(name: str) -> Path:
    """Return a clip of 2 s, 320x180 and 24 frames per second, unless its name says otherwise."""
    path = _directory() / f"{name}.mp4"
    if name in BUILT:
        path.write_bytes(BUILT[name](clip))
        return path
    if name in TURNED:
        turn = ("-display_rotation", "-90", "-i", str(clip(TURNED[name])), "-c", "copy")
        ffmpeg(*turn, "-f", "mp4", str(path))
        return path
    if name in REMUXED:
        source, options = REMUXED[name]
        copy = (option.format(clip(source)) for option in options)
        ffmpeg(*copy, *_FAST, "-f", "mp4", str(path))
        return path
    picture = ("-f", "lavfi", "-i", f"testsrc2=s=320x180:r=24:d={SECONDS}")
    sound = ("-f", "lavfi", "-i", f"sine=f=440:d={SECONDS}")
    container = () if "-f" in CLIPS[name] else ("-f", "mp4")
    ffmpeg(*picture, *sound, *CLIPS[name], *container, str(path))
    return path


def ffmpeg(*arguments: str, timeout: float = 60) -> str:
    """Run ffmpeg without falhook's limits, for at most `timeout` s; return its standard output."""
    command = [ffmpeg_program(), "-hide_banner", "-loglevel", "error", "-y", *arguments]
    result = subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=timeout,
    )
    return result.stdout


def described(path: Path) -> str:
    """Return what ffmpeg prints when it opens a file: streams, colours, tags."""
    command = [ffmpeg_program(), "-hide_banner", "-i", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stderr


def packets(path: Path, stream: str) -> list[tuple[str, str]]:
    """Return size and MD5 of every packet of one stream, undecoded, in order."""
    chosen = ("-map", f"0:{stream}", "-c", "copy", "-f", "framehash", "-hash", "md5", "-")
    lines = ffmpeg("-i", str(path), *chosen).splitlines()
    fields = [line.split(",") for line in lines if not line.startswith("#")]
    return [(field[4].strip(), field[5].strip()) for field in fields]


def tags(**changes: str) -> Tags:
    """Return one job's tags, with these changes."""
    defaults = Tags(
        title="A fox in the snow",
        comment="made for a test",
        job_id="job-1",
        endpoint="fal-ai/kling-video/v2.1/master/text-to-video",
        request_id="request-1",
        created=datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
    )
    return replace(defaults, **changes)  # type: ignore[arg-type]


def script(path: Path, body: str) -> Path:
    """Write a program that takes the place of ffmpeg."""
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path
