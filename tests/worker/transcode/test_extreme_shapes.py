"""Clips of extreme shapes have the same outputs as others."""

from pathlib import Path

import pytest

from tests.factories.clips import ffmpeg, tags
from worker.formats.images import size_of
from worker.formats.mp4 import probe
from worker.transcode.ffmpeg import Ffmpeg
from worker.transcode.profiles import Profile
from worker.transcode.result import TranscodeResult
from worker.transcode.transcoder import transcode

ALL = "original+720p+360p+av1+webp+avif+preview+storyboard+blurhash+hls"


@pytest.fixture(scope="module")
def real() -> Ffmpeg:
    """The default ffmpeg."""
    return Ffmpeg.find(None)


def delivered(picture: str, directory: Path, program: Ffmpeg, name: str = ALL) -> TranscodeResult:
    """The outputs of a few frames of this size, with pixels of this shape."""
    size, _, shape = picture.partition(" ")
    source = directory / "source.mp4"
    frames = ("-f", "lavfi", "-i", f"testsrc2=s={size}:r=12:d=0.5", "-vf", f"setsar={shape or 1}")
    ffmpeg(*frames, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", str(source))
    profile = Profile.parse(name)
    result = transcode(source, directory / "into", tags(), ffmpeg=program, profile=profile)
    assert {} == result.failed
    return result


@pytest.mark.parametrize(
    ("picture", "preview", "sprite", "poster"),
    [
        ("1920x80", (320, 16), (800, 80), (1280, 52)),
        ("3840x176", (320, 16), (800, 80), (1280, 58)),
        ("16x4096", (16, 1280), (800, 3200), (16, 4096)),
        ("16x6000", (16, 1280), (800, 3200), (16, 5120)),
        ("64x2048", (40, 1280), (800, 3200), (64, 2048)),
        ("360x780", (320, 692), (800, 1730), (360, 780)),
        ("320x180 1/30", (74, 1248), (800, 3200), (16, 270)),
    ],
)
def test_small_outputs_are_within_bounds(
    picture: str,
    preview: tuple[int, int],
    sprite: tuple[int, int],
    poster: tuple[int, int],
    *,
    real: Ffmpeg,
    tmp_path: Path,
) -> None:
    """No side has fewer than 16 pixels, and no output is more than four times as high as wide."""
    result = delivered(picture, tmp_path, real)
    small = probe(result.video.with_name("preview.mp4"))
    assert preview == (small.width, small.height)
    assert sprite == size_of(result.video.with_name("storyboard.jpg"))
    for name in ("poster.jpg", "poster.webp", "poster.avif"):
        assert poster == size_of(result.video.with_name(name)), name


def test_a_rendition_fits_its_encoder(real: Ffmpeg, tmp_path: Path) -> None:
    """Pixels declared 60 times as high as wide do not create a frame of 21600 pixels."""
    result = delivered("640x640 1/60", tmp_path, real, "original+360p")
    small = probe(result.video.with_name("video-360p.mp4"))
    assert (360, 8192) == (small.width, small.height)
