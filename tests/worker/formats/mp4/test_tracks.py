"""Of several sounds the one that a player would choose is delivered."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.factories.clips import described, ffmpeg, packets, tags
from worker.formats.mp4 import probe
from worker.steps.transcode_tag import recorded
from worker.transcode.ffmpeg import Ffmpeg
from worker.transcode.profiles import Profile
from worker.transcode.result import TranscodeResult
from worker.transcode.transcoder import transcode


def spoken(path: Path, *default: str, codec: str = "aac") -> Path:
    """A second with 440 Hz in English and 880 Hz in German, of which one may be the default."""
    sounds = [part for tone in (440, 880) for part in ("-f", "lavfi", "-i", f"sine=f={tone}:d=1")]
    maps = ("-map", "0:v", "-map", "1:a", "-map", "2:a", "-c:v", "libx264", "-c:a", codec)
    said = ("-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu")
    picture = ("-f", "lavfi", "-i", "testsrc2=s=64x36:r=12:d=1", "-pix_fmt", "yuv420p")
    ffmpeg(*picture[:4], *sounds, *maps, *said, *picture[4:], *default, str(path))
    return path


def delivered(source: Path, profile: str = "original+hls") -> TranscodeResult:
    asked = Profile.parse(profile)
    return transcode(
        source, source.parent / "into", tags(), ffmpeg=Ffmpeg.find(None), profile=asked
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
def test_the_enabled_sound_is_delivered(
    default: tuple[str, ...], chosen: str, language: str, left_out: str, tmp_path: Path
) -> None:
    """The first enabled one, else the first; the record names what is left out."""
    source = spoken(tmp_path / "source.mp4", *default)
    made = delivered(source)
    assert packets(source, chosen) == packets(made.video, "a:0")
    assert f"({language}): Audio" in described(made.video)
    (told,) = made.source.left_out
    assert told.startswith(left_out)
    assert [told] == recorded(made, {})["left_out"]
    assert "left_out" not in recorded(replace(made, source=made.probe), {})


def test_the_language_survives_an_encode(tmp_path: Path) -> None:
    """A sound that is encoded says in which language it is, in every file that has it."""
    made = delivered(spoken(tmp_path / "source.mp4", *SECOND, codec="libopus"))
    assert ("deu", "deu") == (made.source.language, made.probe.language)
    assert "deu" == probe(made.video.with_name("hls-36p.m4s")).language


def test_no_language_is_made_up(tmp_path: Path) -> None:
    """What is told of no language stays so."""
    source = spoken(tmp_path / "source.mp4", "-metadata:s:a:0", "language=und", *NONE)
    assert delivered(source).probe.language is None
