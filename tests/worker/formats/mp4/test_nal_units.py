"""That the packets of an H.264 track are whole, without decoding one."""

from pathlib import Path

import pytest

from tests.factories.attacks import TORN
from tests.factories.clips import clip
from worker.formats.errors import MediaError
from worker.formats.mp4 import intact, probe
from worker.transcode import verification


@pytest.mark.parametrize("name", ["high", "main", "baseline", "moov_last", "quicktime", "turned"])
def test_a_whole_clip(name: str) -> None:
    """Whatever the encoder's profile and the container: nothing is missing."""
    assert intact(clip(name))


@pytest.mark.parametrize("name", ["hevc", "vp9", "prores", "fragmented"])
def test_what_is_not_looked_at(name: str) -> None:
    """Of other codecs and of fragments nothing is said."""
    assert intact(clip(name))


@pytest.mark.parametrize("name", TORN)
def test_a_torn_clip(name: str, tmp_path: Path) -> None:
    """It passes for whole by its headers, and by its packets it does not."""
    path = tmp_path / "torn.mp4"
    path.write_bytes(TORN[name]())
    assert 48 == probe(path).frames
    assert not intact(path)


@pytest.mark.parametrize("name", TORN)
def test_a_torn_copy_is_not_proven(name: str, tmp_path: Path) -> None:
    """What is copied is never decoded: its packets are looked at before it is delivered."""
    path = tmp_path / "torn.mp4"
    path.write_bytes(TORN[name]())
    whole = probe(clip("no_audio"))
    verification.verify_video(clip("no_audio"), whole, copied=True, lines=None)
    with pytest.raises(MediaError, match=r"media_invalid.*packets of its video are not whole"):
        verification.verify_video(path, whole, copied=True, lines=None)


def test_no_movie(tmp_path: Path) -> None:
    """A file without a movie has no packets to be whole."""
    path = tmp_path / "empty.mp4"
    path.write_bytes(clip("high").read_bytes()[:32])
    with pytest.raises(MediaError, match="media_invalid"):
        intact(path)
