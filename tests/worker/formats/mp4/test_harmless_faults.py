"""Faults that no player minds: a paid clip does not fail for them."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.factories.clips import clip, ffmpeg, tags
from tests.factories.mp4_boxes import MovieBuilder
from tests.factories.odd_clips import (
    DESCRIPTION,
    ODD,
    PADDINGS,
    TRAILERS,
    flagged,
    padded,
    sized,
)
from worker.formats.errors import MediaError
from worker.formats.mp4 import faults, probe, repair
from worker.steps.transcode_tag import output_record
from worker.transcode.ffmpeg import Ffmpeg
from worker.transcode.profiles import Profile
from worker.transcode.result import TranscodeResult
from worker.transcode.transcoder import transcode

# Types of boxes with a meaning of their own at the end of a file.
KNOWN = (
    *(b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"sidx", b"ssix", b"mfra", b"meta", b"udta"),
    *(b"uuid", b"free", b"skip", b"wide", b"pdin", b"prft", b"emsg", b"trak"),
)


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def delivered(data: bytes, directory: Path, profile: str = "original") -> TranscodeResult:
    source = written(directory / "source.mp4", data)
    wanted = Profile.parse(profile)
    return transcode(source, directory / "into", tags(), ffmpeg=Ffmpeg.find(None), profile=wanted)


@pytest.mark.parametrize("name", TRAILERS)
@pytest.mark.parametrize("container", ["high", "moov_last", "fragmented"])
def test_what_follows_a_movie_is_dropped(container: str, name: str, tmp_path: Path) -> None:
    """The movie ends with its last whole box; the bytes after it are noted."""
    data, trailer = clip(container).read_bytes(), TRAILERS[name]
    source = written(tmp_path / "source.mp4", data + trailer)
    found = probe(source)
    assert (f"{len(trailer)} bytes after the movie",) == faults(found)
    repair(source, tmp_path / "movie.mp4")
    assert data == (tmp_path / "movie.mp4").read_bytes()


@pytest.mark.parametrize("container", ["high", "fragmented", "hevc"])
def test_the_manifest_notes_what_followed(container: str, tmp_path: Path) -> None:
    """A delivery is complete, is as long as the movie, and lists what was left out of it."""
    result = delivered(clip(container).read_bytes() + b"\n", tmp_path)
    assert ["1 bytes after the movie"] == output_record(result, {})["left_out"]
    assert ["video.mp4", "poster.jpg"] == [path.name for path in result.files]
    assert [] == [path for path in (tmp_path / "into").iterdir() if path not in result.files]


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_anything_may_follow(tmp_path_factory: pytest.TempPathFactory, trailer: bytes) -> None:
    """Whatever follows a movie, it is read the same, unless it names a box of a movie."""
    assume(not any(kind in trailer for kind in KNOWN))
    data = MovieBuilder().bytes()
    path = written(tmp_path_factory.getbasetemp() / "followed.mp4", data + trailer)
    assert (2.0, 2) == (probe(path).duration, probe(path).frames)


@pytest.mark.parametrize("kind", ["mdat", "moov", "moof", "free", "uuid", "meta"])
def test_a_box_of_a_movie_must_be_whole(kind: str, tmp_path: Path) -> None:
    """A file that ends inside a box that belongs to a movie is cut short."""
    cut = (1000).to_bytes(4) + kind.encode() + bytes(50)
    with pytest.raises(MediaError, match="cut short"):
        probe(written(tmp_path / "cut.mp4", MovieBuilder().bytes() + cut))


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("path", [DESCRIPTION[:end] for end in range(1, len(DESCRIPTION) + 1)])
def test_padding(path: Sequence[bytes], padding: bytes, tmp_path: Path) -> None:
    """Bytes of one value may follow the last box inside another."""
    data = clip("moov_last").read_bytes()
    expected = probe(clip("moov_last"))
    found = probe(written(tmp_path / "padded.mp4", padded(data, path, padding)))
    assert (expected.frames, expected.duration) == (found.frames, found.duration)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("path", [(b"moov",), (b"moov", b"udta"), DESCRIPTION])
def test_a_padded_clip_is_delivered(path: Sequence[bytes], padding: bytes, tmp_path: Path) -> None:
    """A clip with padding in its header is copied, and its copy is complete."""
    result = delivered(padded(clip("moov_last").read_bytes(), path, padding), tmp_path)
    assert ("copy", 48) == (result.method, result.probe.frames)


def test_padding_hides_no_box(tmp_path: Path) -> None:
    """Bytes of several values that are no box are refused: a demuxer might find one in them."""
    data = padded(clip("moov_last").read_bytes(), (b"moov",), b"\xff\xff\xff\xfftrak" + bytes(8))
    with pytest.raises(MediaError, match="does not fit into its parent"):
        probe(written(tmp_path / "hidden.mp4", data))


@pytest.mark.parametrize("name", ODD)
def test_an_odd_clip_is_delivered(name: str, tmp_path: Path) -> None:
    """Every output of it exists, and lasts as long as what is shown of it."""
    result = delivered(ODD[name](), tmp_path, "web+hls+preview")
    assert {} == dict(result.failed)
    assert result.probe.duration == pytest.approx(2.0, abs=0.05)
    assert "hls.m3u8" in [path.name for path in result.files]


def test_a_last_frame_that_never_ends_is_repaired(tmp_path: Path) -> None:
    """The delivered file states how long its last frame is shown, and the manifest notes it."""
    result = delivered(ODD["endless_movie"](), tmp_path)
    assert ["a last frame that never ends"] == output_record(result, {})["left_out"]
    assert b"\x7f\xff\xff\xff" not in result.video.read_bytes()[:2000]
    ffmpeg("-xerror", "-i", str(result.video), "-f", "null", "-")


@pytest.mark.parametrize("flags", [(2, 2), (3, 0), (0, 3), (0, 0)])
def test_what_is_delivered_is_enabled(flags: tuple[int, int], tmp_path: Path) -> None:
    """Disabled tracks are delivered enabled: players show and play them."""
    video = delivered(flagged(*flags), tmp_path).video.read_bytes()
    first = video.index(b"tkhd")
    second = video.index(b"tkhd", first + 4)
    assert (3, 3) == (video[first + 7], video[second + 7])


@pytest.mark.parametrize("size", [(1280, 728), (640, 360), (1920, 1088)])
@pytest.mark.parametrize("name", ["hd", "hd_hevc"])
def test_the_size_is_that_of_the_stream(name: str, size: tuple[int, int], tmp_path: Path) -> None:
    """A container with another size changes neither the decisions nor what is delivered."""
    result = delivered(sized(name, *size), tmp_path, "web+360p")
    assert ((1280, 720), ()) == ((result.source.width, result.source.height), result.skipped)
    video = result.video.read_bytes()
    entry = video.index(b"avc1", video.index(b"stsd"))
    assert (1280, 720) == tuple(
        int.from_bytes(video[at : at + 2]) for at in (entry + 28, entry + 30)
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("high", (320, 180, 0, "1:1")),
        ("turned", (180, 320, 90, "1:1")),
        ("turned_hevc", (180, 320, 0, "1:1")),
        ("anamorphic", (427, 240, 0, "4:3")),
    ],
)
def test_the_manifest_states_what_is_seen(
    name: str, expected: tuple[int, int, int, str], tmp_path: Path
) -> None:
    """Displayed size, rotation and shape of a pixel are those of the delivered video."""
    video = output_record(delivered(clip(name).read_bytes(), tmp_path), {})["video"]
    assert isinstance(video, dict)
    keys = ("displayed_width", "displayed_height", "rotation", "sample_aspect")
    assert expected == tuple(video[key] for key in keys)
