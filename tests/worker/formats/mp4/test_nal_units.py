"""The integrity of an H.264 track's packets, checked without decoding them."""

from pathlib import Path

import pytest

from tests.factories.attacks import TORN
from tests.factories.clips import clip
from worker.errors import Permanent
from worker.formats.errors import MediaError
from worker.formats.mp4 import intact, probe
from worker.transcode import verification


@pytest.mark.parametrize("name", ["high", "main", "baseline", "moov_last", "quicktime", "turned"])
def test_an_intact_clip(name: str) -> None:
    """Clips of any profile and container are intact."""
    assert intact(clip(name))


@pytest.mark.parametrize("name", ["hevc", "vp9", "prores", "fragmented"])
def test_other_codecs_are_not_checked(name: str) -> None:
    """Other codecs and fragments count as intact."""
    assert intact(clip(name))


@pytest.mark.parametrize("name", TORN)
def test_a_torn_clip(name: str, tmp_path: Path) -> None:
    """A torn clip is valid by its headers, but not by its packets."""
    path = tmp_path / "torn.mp4"
    path.write_bytes(TORN[name]())
    assert 48 == probe(path).frames
    assert not intact(path)


@pytest.mark.parametrize("name", TORN)
def test_a_torn_copy_fails_verification(name: str, tmp_path: Path) -> None:
    """A copied video, which is never decoded, is delivered only if its packets are intact."""
    path = tmp_path / "torn.mp4"
    path.write_bytes(TORN[name]())
    whole = probe(clip("no_audio"))
    verification.verify_video(clip("no_audio"), whole, copied=True, lines=None)
    with pytest.raises(Permanent, match=r"media_invalid.*packets of its video are not whole"):
        verification.verify_video(path, whole, copied=True, lines=None)


def test_no_movie(tmp_path: Path) -> None:
    """A file without a movie header is invalid."""
    path = tmp_path / "empty.mp4"
    path.write_bytes(clip("high").read_bytes()[:32])
    with pytest.raises(MediaError, match="media_invalid"):
        intact(path)
