"""MP4s that are written again around the same packets."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.factories.clips import clip, described, ffmpeg, packets, tags
from tests.factories.mp4_boxes import MovieBuilder, box, numbers
from worker.formats.errors import MediaError
from worker.formats.mp4 import NotRewritable, Stamp, probe, read_tags, rewrite, udta
from worker.formats.mp4.rewrite import XMP

STAMP = Stamp(
    udta=udta({"title": "Füchse", "falhook.job_id": "job-1"}),
    xmp=b"<x:xmpmeta/>",
    created=datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
)
REWRITABLE = ["high", "main", "baseline", "moov_last", "no_audio", "turned", "hevc", "vp9", "vfr"]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory for files that are overwritten by each test."""
    return tmp_path_factory.mktemp("rewrite")


@pytest.mark.parametrize("name", REWRITABLE)
def test_packets_are_the_same(name: str, tmp_path: Path) -> None:
    """Every packet of every track equals the source's, at the same time."""
    rewrite(clip(name), tmp_path / "out", STAMP)
    for stream in ("v:0", "a:0") if probe(clip(name)).audio else ("v:0",):
        assert packets(clip(name), stream) == packets(tmp_path / "out", stream)
    before, after = probe(clip(name)), probe(tmp_path / "out")
    assert replace(before, size=after.size, faststart=True) == after


@pytest.mark.parametrize("name", ["high", "moov_last"])
def test_only_our_tags_are_kept(name: str, tmp_path: Path) -> None:
    """The file holds header, XMP and media data, in this order, with our tags and date."""
    source = tmp_path / "source"
    metadata = ("-metadata", "description=prompt", "-metadata:s:v", "title=prompt")
    ffmpeg("-i", str(clip(name)), "-c", "copy", *metadata, "-f", "mp4", str(source))
    rewrite(source, tmp_path / "out", STAMP)
    data = (tmp_path / "out").read_bytes()
    assert [data.find(kind) for kind in (b"ftyp", b"moov", XMP, b"mdat")] == sorted(
        data.find(kind) for kind in (b"ftyp", b"moov", XMP, b"mdat")
    )
    assert b"prompt" not in data
    assert {"title": "Füchse", "falhook.job_id": "job-1"} == read_tags(tmp_path / "out")
    assert "creation_time   : 2026-03-04T05:06:07" in described(tmp_path / "out")


def test_again_gives_the_same_bytes(tmp_path: Path) -> None:
    """Rewriting depends only on source and stamp; a rewritten file can be rewritten."""
    for source, target in ((clip("high"), "one"), (clip("high"), "two"), (tmp_path / "two", "3")):
        rewrite(source, tmp_path / target, STAMP)
    digests = {
        hashlib.sha256((tmp_path / name).read_bytes()).digest() for name in ("one", "two", "3")
    }
    assert 1 == len(digests)


def test_media_data_in_pieces(scratch: Path) -> None:
    """Chunks in several mdat boxes, before and after the header, keep their bytes."""
    first = box(b"mdat", b"first-of-two")
    size = len(MovieBuilder(offsets=(0, 0)).moov())
    begins = 24 + len(first) + size + 8 + 64 + 8
    movie = MovieBuilder(
        before=first,
        after=box(b"free", b"x") + box(b"mdat", b"second-piece"),
        offsets=(24 + 8, begins + 9),
    )
    (scratch / "source").write_bytes(movie.bytes())
    rewrite(scratch / "source", scratch / "out", STAMP)
    data = (scratch / "out").read_bytes()
    table = data.find(b"stco") + 12
    offsets = [int.from_bytes(data[at : at + 4]) for at in (table, table + 4)]
    assert [b"first-of-two", b"second-piece"] == [data[at : at + 12] for at in offsets]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("fragmented", "kinds of boxes that are not rewritten"),
        ("quicktime", "QuickTime"),
        ("two_sounds", "tracks other than"),
        ("two_pictures", "tracks other than"),
    ],
)
def test_other_shapes_are_left_to_ffmpeg(name: str, words: str, tmp_path: Path) -> None:
    """A structure that is not rewritten is distinguished from a broken file."""
    with pytest.raises(NotRewritable, match=words):
        rewrite(clip(name), tmp_path / "out", STAMP)


@pytest.mark.parametrize("offset", [0, 8, 10_000])
def test_offsets_outside_the_media_data(offset: int, scratch: Path) -> None:
    """A chunk outside the media data is refused."""
    (scratch / "source").write_bytes(MovieBuilder(offsets=(offset,)).bytes())
    with pytest.raises(MediaError, match="outside its media data"):
        rewrite(scratch / "source", scratch / "out", STAMP)


def test_dates_beyond_the_format(tmp_path: Path) -> None:
    """Dates that a 32-bit box cannot hold are clamped, not wrapped."""
    rewrite(
        clip("high"), tmp_path / "out", replace(STAMP, created=datetime(2100, 1, 1, tzinfo=UTC))
    )
    assert 48 == probe(tmp_path / "out").frames


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A valid file with some wrong numbers in its header."""
    data = bytearray(clip(draw(st.sampled_from(["high", "moov_last", "no_audio"]))).read_bytes())
    moov = data.find(b"moov")
    for _ in range(draw(st.integers(1, 4))):
        at = moov + draw(st.integers(0, 2500))
        if at + 4 <= len(data):
            data[at : at + 4] = numbers(draw(st.integers(0, 2**32 - 1)))
    return bytes(data)


@settings(max_examples=200, deadline=timedelta(seconds=2))
@given(data=mutated())
def test_a_mutated_file_is_rewritten_or_refused(data: bytes, scratch: Path) -> None:
    """Any header is refused, or rewritten to a file with the same facts."""
    source, target = scratch / "mutated", scratch / "rewritten"
    source.write_bytes(data)
    try:
        before = probe(source)
        rewrite(source, target, tags().stamp({}))
    except (NotRewritable, MediaError):
        return
    after = probe(target)
    assert replace(before, size=after.size, faststart=True) == after
