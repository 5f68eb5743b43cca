"""The manifest says how loud the published sound is."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories.clips import clip, ffmpeg, script, tags
from worker.formats.mp4 import probe
from worker.steps.transcode_tag import output_record
from worker.transcode.ffmpeg import Ffmpeg, ResourceUsage
from worker.transcode.loudness import Loudness, measured, parsed
from worker.transcode.transcoder import transcode
from worker.types import Json

LINES = st.tuples(
    st.sampled_from(["lavfi.r128.I", "lavfi.r128.true_peaks_ch0", "lavfi.r128.true_peaks_ch1"]),
    st.floats(),
)


@pytest.fixture(scope="module")
def real() -> Ffmpeg:
    """The default ffmpeg."""
    return Ffmpeg.find(None)


def published(source: Path, into: Path, program: Ffmpeg) -> dict[str, Json]:
    """What the manifest says of the video."""
    video = output_record(transcode(source, into, tags(), ffmpeg=program), {})["video"]
    assert isinstance(video, dict)
    return video


def toned(path: Path, decibels: int) -> Path:
    """A clip with a tone of 1 kHz in both channels, whose peak is this many decibels."""
    fades = "afade=d=0.05,afade=t=out:st=2.9:d=0.05"  # a cut would be a peak of its own
    tone = f"0.5*sin(2*PI*1000*t)*pow(10\\,({decibels}+6.0206)/20)"
    picture = ("-f", "lavfi", "-i", "testsrc2=s=320x180:r=24:d=3")
    sound = ("-f", "lavfi", "-i", f"aevalsrc={tone}|{tone}:s=48000:d=3")
    encoding = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
    ffmpeg(*picture, *sound, *encoding, "-af", fades, "-c:a", "aac", "-b:a", "192k", str(path))
    return path


@pytest.mark.parametrize("decibels", [-6, -23])
def test_a_tone_is_as_loud_as_its_peak(decibels: int, real: Ffmpeg, tmp_path: Path) -> None:
    """A stereo sine of 1 kHz at -23 dBFS has -23 LUFS (EBU Tech 3341, case 1), copied or not."""
    source = toned(tmp_path / "source.mp4", decibels)
    loudness = published(source, tmp_path / "into", real)["loudness"]
    assert isinstance(loudness, dict)
    expected = pytest.approx(decibels, abs=0.5)
    assert expected == loudness["integrated_lufs"]
    assert expected == loudness["true_peak_dbtp"]


@pytest.mark.parametrize("name", ["no_audio", "silent"])
def test_without_sound(name: str, real: Ffmpeg, tmp_path: Path) -> None:
    """There is no loudness without sound, nor of silence."""
    assert "loudness" not in published(clip(name), tmp_path, real)


@pytest.mark.parametrize("name", ["high", "no_audio", "hevc"])
def test_bit_rate(name: str, real: Ffmpeg, tmp_path: Path) -> None:
    """The bit rate is that of the published picture."""
    video = published(clip(name), tmp_path, real)
    assert round(probe(tmp_path / "video.mp4").bit_rate) == video["bit_rate"]


def test_unmeasured_sound_is_published(tmp_path: Path) -> None:
    """A clip whose sound cannot be decoded is no failure: there is no figure."""
    program = script(tmp_path / "ffmpeg", "echo broken >&2; exit 1")
    broken = Ffmpeg(path=program, by_descriptor=True)
    sound = measured(probe(clip("high")), clip("high"), broken, ResourceUsage())
    assert (None, None) == (sound.loudness, sound.silent)
    assert sound.reason


@given(st.lists(LINES))
def test_any_report_is_finite_or_nothing(lines: list[tuple[str, float]]) -> None:
    """Whatever numbers are reported, the figures are finite, which JSON requires."""
    match parsed("\n".join(f"{name}={value}" for name, value in lines)):
        case None:
            return
        case Loudness(integrated=integrated, peak=peak):
            assert -70 < integrated < float("inf")
            assert -float("inf") < peak < float("inf")
