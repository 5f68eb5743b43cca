"""Outputs that differ from their profile are refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.factories.clips import clip, ffmpeg, tags
from worker.errors import Permanent
from worker.formats.mp4 import probe, rewrite
from worker.transcode import verification
from worker.transcode.outputs import JPEG, BlurHash, Output, Preview, Rendition, Storyboard
from worker.transcode.transcoder import _require_tags

SOURCE = probe(clip("tall"))
SMALL = Rendition(file="small.mp4", lines=180)


def picture(path: Path, size: str) -> Path:
    source = ("-f", "lavfi", "-i", f"color=gray:s={size}:d=1", "-frames:v", "1", "-update", "1")
    ffmpeg(*source, "-f", "image2", str(path))
    return path


@pytest.mark.parametrize(
    ("name", "output", "words"),
    [
        ("high", replace(SMALL, lines=240), "180 lines, not 240"),
        ("high", replace(SMALL, codec="av01"), "is H.264 of 8 bits"),
        ("hevc", SMALL, "is HEVC of 8 bits"),
        ("no_audio", SMALL, "audio is lost"),
        ("short", SMALL, "lasts 0.50 s, not 2.00 s"),
        ("fragmented", SMALL, "in fragments"),
        ("short", Preview(), "lasts 0.50 s, not 2.00 s"),
        ("high", Preview(seconds=1.0), "lasts 2.00 s, not 1.00 s"),
        ("high", Preview(), "has sound"),
        ("no_audio", Preview(width=160), "wider than 160 pixels"),
        ("none", Preview(), "output is missing"),
    ],
)
def test_videos(name: str, output: Output, words: str, tmp_path: Path) -> None:
    """Each wrong video is refused for its fault."""
    path = tmp_path / "none" if name == "none" else clip(name)
    with pytest.raises(Permanent, match=f"media_invalid.*{words}"):
        verification.verify_output(path, output, SOURCE)


@pytest.mark.parametrize(
    ("size", "output"),
    [("1300x40", JPEG), ("640x640", Storyboard()), ("800x4", Storyboard()), ("32x32", BlurHash())],
)
def test_pictures(size: str, output: Output, tmp_path: Path) -> None:
    """Pictures of another size are refused, and pictures in place of raw bytes."""
    with pytest.raises(Permanent, match=r"right size|is missing"):
        verification.verify_output(picture(tmp_path / "picture.jpg", size), output, SOURCE)


@pytest.mark.parametrize(
    ("name", "output"), [("high", SMALL), ("no_audio", Preview()), ("no_audio", Preview(fps=24))]
)
def test_good_videos_pass(name: str, output: Output) -> None:
    """Correct outputs are accepted: the tests above can fail."""
    verification.verify_output(clip(name), output, SOURCE)


def test_tags_that_do_not_read_back(tmp_path: Path) -> None:
    """A finished video without its tags, or whose header comes last, is refused."""
    pairs = tags().pairs({})
    rewrite(clip("high"), tmp_path / "good.mp4", tags().stamp({}))
    _require_tags((tmp_path / "good.mp4",), pairs)
    with pytest.raises(Permanent, match=r"tags of high\.mp4 do not read back"):
        _require_tags((clip("high"),), pairs)
    with pytest.raises(Permanent, match=r"header of moov_last\.mp4 does not come first"):
        _require_tags((clip("moov_last"),), {})
