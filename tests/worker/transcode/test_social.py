"""`social.mp4` is what social networks take: a constant frame rate, and stereo at 48 kHz."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from tests.factories.clips import clip, ffmpeg, packets, tags
from worker.errors import Permanent
from worker.formats.mp4 import ProbeResult, probe, read_tags
from worker.transcode.command import command
from worker.transcode.ffmpeg import Ffmpeg
from worker.transcode.outputs import Social
from worker.transcode.plan import Plan
from worker.transcode.profiles import Profile
from worker.transcode.result import TranscodeResult
from worker.transcode.social import constant_rate, faults_of
from worker.transcode.transcoder import transcode
from worker.transcode.verification import verify_output
from worker.transcode.web_limits import bit_rate_limit

SOCIAL = Profile.parse("original+social")
NOISE = "testsrc2=s=640x360:r=24:d=4,noise=alls=90:allf=t"


@pytest.fixture(scope="module")
def real() -> Ffmpeg:
    """The default ffmpeg."""
    return Ffmpeg.find(None)


def uploaded(source: Path, into: Path, program: Ffmpeg) -> tuple[TranscodeResult, ProbeResult]:
    """The result, and the facts of its social.mp4."""
    result = transcode(source, into, tags(), ffmpeg=program, profile=SOCIAL)
    assert {} == result.failed
    return result, probe(result.video.with_name("social.mp4"))


@pytest.mark.parametrize(
    "name",
    [
        "high",
        "no_audio",
        "vfr",
        "uneven",
        "short",
        "long_end",
        "hevc",
        "opus",
        "turned",
        "odd_size",
        "late",
        "cut",
        "later_high",
        "later_alone_high",
        "sound_later_high",
        "sound_longer_high",
        "hidden_high",
        "silent",
        "fragmented",
        "pq",
    ],
)
def test_of_any_clip(name: str, real: Ffmpeg, tmp_path: Path) -> None:
    """Any clip becomes H.264 High with frames of one duration, and stereo sound at 48 kHz."""
    result, found = uploaded(clip(name), tmp_path, real)
    assert ("avc1", "High", 8, "4:2:0") == (
        found.fourcc,
        found.profile,
        found.bit_depth,
        found.chroma,
    )
    assert ("AAC", 2, 48000) == (found.audio, found.channels, found.sample_rate)
    assert pytest.approx(float(constant_rate(result.source)), rel=1e-3) == found.fps
    assert pytest.approx(1 / found.fps, rel=1e-3) == found.longest
    assert pytest.approx(result.source.duration, abs=0.1) == found.duration
    assert found.faststart
    assert "job-1" == read_tags(result.video.with_name("social.mp4"))["falhook.job_id"]


def test_a_clip_without_sound_gets_silence(real: Ffmpeg, tmp_path: Path) -> None:
    """The sound of a clip that has none lasts as long as the picture; the master has none still."""
    result, found = uploaded(clip("no_audio"), tmp_path, real)
    assert pytest.approx(found.duration, abs=0.1) == found.audio_seconds
    assert result.probe.audio is None
    assert packets(clip("no_audio"), "v:0") == packets(result.video, "v:0")


def test_many_frames_become_60(real: Ffmpeg, tmp_path: Path) -> None:
    """A clip of 120 frames a second becomes one of 60, and is whole."""
    source = tmp_path / "fast.mp4"
    picture = ("-f", "lavfi", "-i", "testsrc2=s=320x180:r=120:d=1", "-pix_fmt", "yuv420p")
    ffmpeg(*picture, "-c:v", "libx264", "-preset", "ultrafast", str(source))
    _, found = uploaded(source, tmp_path / "into", real)
    assert (60, 60.0) == (found.frames, found.fps)


def test_limits_of_the_web(real: Ffmpeg, tmp_path: Path) -> None:
    """Its bit rate and keyframes are those of the web, also beside an original master."""
    source = tmp_path / "source.mp4"
    encoding = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-crf", "18")
    ffmpeg("-f", "lavfi", "-i", NOISE, *encoding, "-profile:v", "high", str(source))
    result, found = uploaded(source, tmp_path / "into", real)
    assert "copy" == result.method
    assert found.bit_rate <= bit_rate_limit(found.lines, found.fps) * 1.25
    assert found.keyframes_apart <= 2.05


@pytest.mark.parametrize("name", ["high", "no_audio"])
def test_the_source_is_decoded_once(name: str, real: Ffmpeg) -> None:
    """It is one more output of the same run, beside renditions and a preview."""
    outputs = Profile.parse("web+360p+social+preview").outputs
    plan = Plan(source=probe(clip(name)), master="transcode", lines=1080, outputs=outputs)
    arguments = command(plan, real)
    assert "-i" not in arguments
    assert 1 == arguments[arguments.index("-filter_complex") + 1].count("[0:V:0]")


@pytest.mark.parametrize(
    ("fps", "expected"),
    [
        (1, 24),
        (8, 24),
        (10, 30),
        (12, 24),
        (15, 30),
        (16, 48),
        (23.976, Fraction(24000, 1001)),
        (24, 24),
        (24.1, 24),
        (25, 25),
        (29.97, Fraction(30000, 1001)),
        (30.2, 30),
        (48, 48),
        (59.94, Fraction(60000, 1001)),
        (60, 60),
        (240, 60),
    ],
)
def test_rates(fps: float, expected: Fraction, real: Ffmpeg) -> None:
    """The average rate becomes the nearest usual one, or that of repeated frames."""
    assert expected == constant_rate(replace(probe(clip("high")), fps=fps))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("high", "1 channels"),
        ("no_audio", "audio is lost"),
        ("hevc", "HEVC"),
        ("short", "lasts 0.50 s"),
    ],
)
def test_other_files_are_refused(name: str, words: str) -> None:
    """A file that lacks one of its properties is not published."""
    with pytest.raises(Permanent, match=words):
        verify_output(clip(name), Social(), probe(clip("high")))


def test_an_uneven_rate_is_a_fault() -> None:
    """A file of the right average rate whose longest frame is shown twice as long is refused."""
    source = probe(clip("high"))
    uneven = replace(source, longest=2 / 24)
    sentence = "social.mp4 has 24.000 frames a second, not always 24.000"
    assert not faults_of(uneven, Social(), source)[sentence]
    assert faults_of(source, Social(), source)[sentence]
