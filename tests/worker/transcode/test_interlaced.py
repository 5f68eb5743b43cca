"""Interlaced pictures are deinterlaced wherever they are encoded."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.factories.clips import clip, described, ffmpeg, packets, tags
from worker.errors import Permanent
from worker.formats.mp4 import probe
from worker.transcode.conformance import video_reasons
from worker.transcode.ffmpeg import Ffmpeg
from worker.transcode.profiles import Profile
from worker.transcode.result import TranscodeResult
from worker.transcode.transcoder import transcode

WIDTH = 320


@pytest.fixture(scope="module")
def real() -> Ffmpeg:
    """The default ffmpeg."""
    return Ffmpeg.find(None)


def delivered(name: str, into: Path, program: Ffmpeg, profile: str) -> TranscodeResult:
    return transcode(clip(name), into, tags(), ffmpeg=program, profile=Profile.parse(profile))


def combing(path: Path, scratch: Path) -> float:
    """The difference between neighbouring lines of a frame: 0 if an upright bar is whole."""
    frames = "select=gte(n\\,4)" if path.suffix == ".mp4" else "null"
    shown = ("-vf", f"{frames},format=gray", "-frames:v", "1", "-f", "rawvideo")
    ffmpeg("-i", str(path), *shown, str(scratch / "gray"))
    seen = (scratch / "gray").read_bytes()
    far = [abs(pixel - below) for pixel, below in zip(seen, seen[WIDTH:], strict=False)]
    return sum(far) / len(far)


@pytest.mark.parametrize("name", ["fields", "fields_prores"])
def test_nothing_is_combed(name: str, real: Ffmpeg, tmp_path: Path) -> None:
    """No output mixes two moments in one picture, or is marked as interlaced."""
    assert combing(clip(name), tmp_path) > 10
    result = delivered(name, tmp_path, real, "web+av1+preview")
    assert "its pictures are interlaced" in result.reasons or name == "fields_prores"
    assert result.source.frames == result.probe.frames
    for path in result.files:
        assert combing(path, tmp_path) < 3, path.name
        assert "first)" not in described(path), path.name


def test_the_original_is_left_alone(real: Ffmpeg, tmp_path: Path) -> None:
    """With the original profile the video is copied with its fields; other outputs have none."""
    result = delivered("fields", tmp_path, real, "original+preview")
    assert packets(clip("fields"), "v:0") == packets(result.video, "v:0")
    for path in (result.poster, result.video.with_name("preview.mp4")):
        assert combing(path, tmp_path) < 3, path.name


def test_frames_are_left_alone(real: Ffmpeg) -> None:
    """A progressive clip is not encoded, and gets no filter."""
    assert () == video_reasons(probe(clip("high")), 1080)
    assert ("its pictures are interlaced",) == video_reasons(probe(clip("fields")), 1080)
    assert () == video_reasons(probe(clip("fields")))


def test_a_missing_filter_is_named(real: Ffmpeg, tmp_path: Path) -> None:
    """An interlaced clip is refused, with the correction, if ffmpeg lacks the filter."""
    poor = replace(real, lacks=frozenset({"bwdif"}))
    with pytest.raises(Permanent, match=r"no filter bwdif.*an interlaced source.*FALHOOK_FFMPEG"):
        delivered("fields", tmp_path, poor, "web")
