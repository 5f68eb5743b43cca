"""Frames at uneven distances keep their times, and the last one its end."""

import re
from pathlib import Path

import pytest

from tests.factories.clips import ffmpeg, tags
from worker.formats.mp4 import probe
from worker.transcode.ffmpeg import Ffmpeg
from worker.transcode.profiles import Profile
from worker.transcode.transcoder import transcode


def uneven(path: Path, rate: int, together: int) -> Path:
    """Six seconds at this frame rate, with only a few of every seven frames."""
    picture = ("-f", "lavfi", "-i", f"testsrc2=s=64x36:r={rate}:d=6")
    sound = ("-f", "lavfi", "-i", "sine=d=6", "-c:a", "libmp3lame")
    frames = ("-vf", f"select=lt(mod(n\\,7)\\,{together})", "-fps_mode", "vfr", "-g", "5")
    groups = ("-x264-params", "open-gop=1:b-pyramid=none", "-pix_fmt", "yuv422p")
    ffmpeg(*picture, *sound, *frames, "-c:v", "libx264", *groups, str(path))
    return path


def times(source: Path) -> list[float]:
    """The second at which each frame is shown."""
    lines = ffmpeg("-i", str(source), "-map", "0:v", "-f", "framehash", "-").splitlines()
    (clock,) = (line.split()[-1] for line in lines if line.startswith("#tb 0: "))
    ticks, seconds = map(int, clock.split("/"))
    return [int(line.split(",")[2]) * ticks / seconds for line in lines if line[0] != "#"]


@pytest.mark.parametrize(("rate", "together"), [(5, 4), (5, 2), (5, 1), (3, 1), (8, 1)])
def test_the_last_frame_ends_when_it_did(rate: int, together: int, tmp_path: Path) -> None:
    """Times and duration equal the source's, however few frames there are, in any order."""
    source = uneven(tmp_path / "source.mp4", rate, together)
    profile = Profile.parse("original+av1+hls")
    result = transcode(source, tmp_path / "into", tags(), ffmpeg=Ffmpeg.find(None), profile=profile)
    for path in (result.video, result.video.with_name("video-av1.mp4")):
        assert probe(source).duration == pytest.approx(probe(path).duration, abs=0.01), path.name
        assert times(source) == pytest.approx(times(path), abs=0.001), path.name
    assert {} == result.failed
    playlist = result.video.with_name("hls-36p.m3u8").read_text()
    lengths = [float(length) for length in re.findall(r"#EXTINF:([0-9.]+)", playlist)]
    assert result.source.over == pytest.approx(sum(lengths), abs=0.01)
