"""Of several audio tracks the one that a player would select is delivered."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.factories.clips import described, ffmpeg, packets, tags
from worker.formats.mp4 import probe
from worker.steps.transcode_tag import output_record
from worker.transcode.ffmpeg import Ffmpeg
from worker.transcode.profiles import Profile
from worker.transcode.result import TranscodeResult
from worker.transcode.transcoder import transcode


def spoken(path: Path, *default: str, codec: str = "aac") -> Path:
    """Render a second of 440 Hz in English and 880 Hz in German, either of them the default."""
    sounds = [part for tone in (440, 880) for part in ("-f", "lavfi", "-i", f"sine=f={tone}:d=1")]
    maps = ("-map", "0:v", "-map", "1:a", "-map", "2:a", "-c:v", "libx264", "-c:a", codec)
    languages = ("-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu")
    picture = ("-f", "lavfi", "-i", "testsrc2=s=64x36:r=12:d=1", "-pix_fmt", "yuv420p")
    ffmpeg(*picture[:4], *sounds, *maps, *languages, *picture[4:], *default, str(path))
    return path


def delivered(source: Path, profile: str = "original+hls") -> TranscodeResult:
    requested = Profile.parse(profile)
    return transcode(
        source, source.parent / "into", tags(), ffmpeg=Ffmpeg.find(None), profile=requested
    )


SECOND = ("-disposition:a:0", "0", "-disposition:a:1", "default")
NONE = ("-disposition:a:0", "0", "-disposition:a:1", "0")


@pytest.mark.parametrize(
    ("default", "chosen", "language", "left_out"),
    [
        (SECOND, "a:1", "deu", "track 2: sound (eng)"),
        (("-disposition:a:0", "default", "-disposition:a:1", "0"), "a:0", "eng", "track 3: sound"),
        (NONE, "a:0", "eng", "track 3: sound"),
    ],
    ids=["second", "first", "none"],
)
def test_the_enabled_audio_track_is_delivered(
    default: tuple[str, ...], chosen: str, language: str, left_out: str, tmp_path: Path
) -> None:
    """The first enabled track, else the first, is delivered; the record lists the others."""
    source = spoken(tmp_path / "source.mp4", *default)
    result = delivered(source)
    assert packets(source, chosen) == packets(result.video, "a:0")
    assert f"({language}): Audio" in described(result.video)
    (other,) = result.source.left_out
    assert other.startswith(left_out)
    assert [other] == output_record(result, {})["left_out"]
    assert "left_out" not in output_record(replace(result, source=result.probe), {})


def test_the_language_survives_an_encode(tmp_path: Path) -> None:
    """Encoded audio has its language in every file."""
    result = delivered(spoken(tmp_path / "source.mp4", *SECOND, codec="libopus"))
    assert ("deu", "deu") == (result.source.language, result.probe.language)
    assert "deu" == probe(result.video.with_name("hls-36p.m4s")).language


def test_an_unknown_language_stays_unknown(tmp_path: Path) -> None:
    """A track without a language is delivered without one."""
    source = spoken(tmp_path / "source.mp4", "-metadata:s:a:0", "language=und", *NONE)
    assert delivered(source).probe.language is None
