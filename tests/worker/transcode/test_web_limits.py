"""A video for the web has a limited bit rate and a keyframe every two seconds."""

from pathlib import Path

import pytest

from tests.factories.clips import ffmpeg, packets, tags
from worker.formats.mp4 import probe
from worker.transcode.ffmpeg import Ffmpeg
from worker.transcode.profiles import Profile
from worker.transcode.result import TranscodeResult
from worker.transcode.transcoder import transcode
from worker.transcode.web_limits import bit_rate_limit

X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-profile:v", "high")
NOISE = "testsrc2=s=640x360:r=24:d={},noise=alls=90:allf=t"
CALM = "testsrc2=s=640x360:r=24:d={}"
LIMIT = 1_500_000


@pytest.fixture(scope="module")
def real() -> Ffmpeg:
    """The default ffmpeg."""
    return Ffmpeg.find(None)


def rendered(path: Path, picture: str, seconds: int, *options: str) -> Path:
    """A conforming clip with these options."""
    source = ("-f", "lavfi", "-i", picture.format(seconds))
    ffmpeg(*source, *X264, *options, "-movflags", "+faststart", str(path))
    return path


def delivered(source: Path, into: Path, program: Ffmpeg, profile: str) -> TranscodeResult:
    return transcode(source, into, tags(), ffmpeg=program, profile=Profile.parse(profile))


def test_too_many_bits_are_encoded_again(real: Ffmpeg, tmp_path: Path) -> None:
    """A conforming video whose bit rate is above the limit for its size is no video for the web."""
    source = rendered(tmp_path / "source.mp4", NOISE, 5, "-g", "24", "-crf", "18")
    assert 10 * LIMIT < probe(source).bit_rate
    result = delivered(source, tmp_path / "into", real, "web")
    assert "transcode" == result.method
    assert "Mbit/s, more than 1.5" in result.reasons[0]
    assert result.probe.bit_rate <= LIMIT * 1.2
    assert result.probe.keyframes_apart <= 2.05
    assert "copy" == delivered(source, tmp_path / "original", real, "original").method


def test_few_keyframes_are_encoded_again(real: Ffmpeg, tmp_path: Path) -> None:
    """A video with one keyframe in six seconds gets one every two."""
    source = rendered(tmp_path / "source.mp4", CALM, 6, "-g", "250", "-crf", "30")
    assert 6.0 == pytest.approx(probe(source).keyframes_apart)
    result = delivered(source, tmp_path / "into", real, "web")
    assert ("its keyframes are up to 6.0 s apart, not 2 s",) == result.reasons
    assert 2.0 == pytest.approx(result.probe.keyframes_apart, abs=0.05)


def test_within_the_limits_is_copied(real: Ffmpeg, tmp_path: Path) -> None:
    """A video within both limits is copied."""
    source = rendered(tmp_path / "source.mp4", CALM, 5, "-g", "48", "-crf", "30")
    result = delivered(source, tmp_path / "into", real, "web")
    assert ("copy", ()) == (result.method, result.reasons)
    assert packets(source, "v:0") == packets(result.video, "v:0")


def test_renditions_have_limits_too(real: Ffmpeg, tmp_path: Path) -> None:
    """Every rendition of the profile web is within the limits of its size, AV1 too."""
    picture = NOISE.replace("640x360", "960x540")
    source = rendered(tmp_path / "source.mp4", picture, 4, "-g", "24", "-crf", "18")
    result = delivered(source, tmp_path / "into", real, "web+360p+av1")
    names = ("video.mp4", "video-360p.mp4", "video-av1.mp4")
    for path in map(result.video.with_name, names):
        video = probe(path)
        assert video.bit_rate <= bit_rate_limit(video.lines, video.fps) * 1.25, path.name
        assert video.keyframes_apart <= 2.05


@pytest.mark.parametrize(
    ("profile", "options", "expected"),
    [
        ("web+360p+hls", ("-g", "250"), ["hls-540p.m3u8", "hls-360p.m3u8"]),
        ("original+360p+hls", ("-g", "48"), ["hls-540p.m3u8", "hls-360p.m3u8"]),
        ("original+360p+hls", ("-g", "250"), ["hls-360p.m3u8"]),
        ("original+hls", ("-g", "250"), ["hls-540p.m3u8"]),
    ],
)
def test_the_video_is_the_top_rung(
    profile: str, options: tuple[str, ...], expected: list[str], real: Ffmpeg, tmp_path: Path
) -> None:
    """The ladder begins with the video itself, if that is within the limits."""
    picture = CALM.replace("640x360", "960x540")
    source = rendered(tmp_path / "source.mp4", picture, 6, *options, "-crf", "30")
    result = delivered(source, tmp_path / "into", real, profile)
    lines = result.video.with_name("hls.m3u8").read_text().splitlines()
    assert expected == [line for line in lines if not line.startswith("#")]


@pytest.mark.parametrize(
    ("lines", "fps", "expected"),
    [(180, 24, 1.5), (360, 30, 1.5), (361, 30, 2.5), (720, 30, 5), (1080, 24, 10), (1080, 60, 15)],
)
def test_limits(lines: int, fps: float, expected: float) -> None:
    """The limit grows with the size, and with more than 30 frames a second."""
    assert round(1e6 * expected) == bit_rate_limit(lines, fps)
