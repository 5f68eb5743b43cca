"""Segments contain the picture and sound that are shown, at the right time, and nothing else."""

import re
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.factories.clips import clip, ffmpeg, packets, tags
from worker.transcode.ffmpeg import Ffmpeg
from worker.transcode.profiles import Profile
from worker.transcode.result import TranscodeResult
from worker.transcode.transcoder import transcode


def laddered(source: Path, into: Path, extras: str = "") -> TranscodeResult:
    """The clip with a ladder of one rung."""
    profile = Profile.parse(f"original{extras}+hls")
    return transcode(source, into, tags(), ffmpeg=Ffmpeg.find(None), profile=profile)


def playlist(result: TranscodeResult) -> Path:
    """The playlist of the rung with the most lines."""
    lines = result.video.with_name("hls.m3u8").read_text().splitlines()
    return result.video.with_name(next(line for line in lines if not line.startswith("#")))


def lengths(result: TranscodeResult) -> list[float]:
    """The seconds of each segment."""
    return [
        float(length) for length in re.findall(r"#EXTINF:([0-9.]+)", playlist(result).read_text())
    ]


def shown(source: Path) -> tuple[int, float, float]:
    """The number of shown frames, their delay after the sound, and the end of the sound."""
    opened = ("-allowed_extensions", "ALL") if source.suffix == ".m3u8" else ()
    chosen = ("-map", "0:v", "-map", "0:a", "-f", "framehash", "-")
    lines = ffmpeg(*opened, "-i", str(source), *chosen).splitlines()
    clocks = [line.rpartition("/")[2] for line in lines if line.startswith("#tb ")]
    rows = [[int(part) for part in line.split(",")[:4]] for line in lines if line[0] != "#"]
    pictures, sounds = ([row for row in rows if row[0] == stream] for stream in (0, 1))
    starts = [
        rows[0][2] / int(clock) for rows, clock in zip((pictures, sounds), clocks, strict=True)
    ]
    return len(pictures), starts[0] - starts[1], (sounds[-1][2] + sounds[-1][3]) / int(clocks[1])


def shortened(source: Path, path: Path, seconds: float) -> Path:
    """The clip with edit lists that show only its first seconds."""
    data = bytearray(source.read_bytes())
    (clock,) = struct.unpack_from(">I", data, data.index(b"mvhd") + 16)
    for match in re.finditer(rb"elst", bytes(data)):
        struct.pack_into(">I", data, match.end() + 8, round(seconds * clock))
    path.write_bytes(data)
    return path


def cut(name: str, directory: Path) -> Path:
    """A clip that is cut without encoding."""
    if name == "tail":
        return shortened(clip("keyed"), directory / "tail.mp4", 1.25)
    return clip(name)


@pytest.mark.parametrize(
    ("name", "frames", "expected"),
    [("cut", 31, [1.3]), ("hidden_high", 12, [0.5]), ("tail", 30, [1.25])],
)
@pytest.mark.parametrize("extras", ["", "+360p"])
def test_hidden_frames_are_in_no_segment(
    name: str, frames: int, expected: Sequence[float], extras: str, tmp_path: Path
) -> None:
    """Players of segments ignore edit lists: the rung is encoded, and the video is a copy."""
    source = cut(name, tmp_path)
    result = laddered(source, tmp_path / "into", extras)
    assert "copy" == result.method
    assert packets(source, "v:0") == packets(result.video, "v:0")
    (count, apart, _), (of_source, whole, _) = shown(playlist(result)), shown(source)
    assert (frames, frames) == (count, of_source)
    assert whole == pytest.approx(apart, abs=0.05)
    assert expected == pytest.approx(lengths(result), abs=0.05)


def test_hidden_sound_is_not_copied(tmp_path: Path) -> None:
    """Only the priming that a decoder needs precedes the audible sound."""
    source = tmp_path / "tall.mp4"
    ffmpeg("-ss", "1.5", "-i", str(clip("tall")), "-c", "copy", str(source))
    result = laddered(source, tmp_path / "into", "+360p")
    assert "hls-480p.m3u8" == playlist(result).name
    sounds = packets(playlist(result), "a:0")
    assert pytest.approx(0.5 * 44100 / 1024, abs=3) == len(sounds)


@pytest.mark.parametrize(
    ("name", "expected", "target"),
    [
        ("sound_longer_high", [2.0], 2),
        ("sound_later_high", [3.5], 4),
        ("later_high", [3.5], 4),
        ("late", [2.05, 0.25], 3),
    ],
)
def test_segments_last_as_long_as_the_sound(
    name: str, expected: Sequence[float], target: int, tmp_path: Path
) -> None:
    """Segments last from the first of picture and sound to the last (RFC 8216, 4.3.2.1)."""
    result = laddered(clip(name), tmp_path)
    assert expected == pytest.approx(lengths(result), abs=0.07)
    assert f"#EXT-X-TARGETDURATION:{target}\n" in playlist(result).read_text()
    assert shown(clip(name)) == pytest.approx(shown(playlist(result)), abs=0.05)


@pytest.mark.parametrize(("turn", "size"), [("", "640x180"), ("-90", "180x640")])
def test_the_size_is_in_square_pixels(turn: str, size: str, tmp_path: Path) -> None:
    """Pixels that are wider than high count as often as they are displayed (4.3.4.2)."""
    wide, source = tmp_path / "wide.mp4", tmp_path / "source.mp4"
    pixels = "h264_metadata=sample_aspect_ratio=2/1"
    ffmpeg("-i", str(clip("high")), "-c", "copy", "-bsf:v", pixels, "-aspect", "32:9", str(wide))
    turned = ("-display_rotation", turn) if turn else ()
    ffmpeg(*turned, "-i", str(wide), "-c", "copy", str(source))
    result = laddered(source, tmp_path / "into")
    assert "copy" == result.method
    assert f"RESOLUTION={size}," in result.video.with_name("hls.m3u8").read_text()
