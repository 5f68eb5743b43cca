"""The headers of an MP4, read without a decoder and without trust."""

import tracemalloc
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.factories.attacks import INCOMPLETE, MISPLACED, inserted
from tests.factories.clips import (
    HOSTILE,
    TABLE,
    UNSUPPORTED,
    MovieBuilder,
    box,
    clip,
    ffmpeg,
    numbers,
)
from worker.formats.errors import MediaError
from worker.formats.mp4 import probe, read_tags
from worker.formats.mp4.probe import C2PA


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file that is written again and again."""
    return tmp_path_factory.mktemp("mp4") / "file.mp4"


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("high", ("avc1", "H.264", "High", 8, "4:2:0", "AAC")),
        ("main", ("avc1", "H.264", "Main", 8, "4:2:0", "AAC")),
        ("baseline", ("avc1", "H.264", "Baseline", 8, "4:2:0", "AAC")),
        ("no_audio", ("avc1", "H.264", "High", 8, "4:2:0", None)),
        ("ten_bit", ("avc1", "H.264", "High 10", 10, "4:2:0", "AAC")),
        ("full_chroma", ("avc1", "H.264", "High 4:4:4", 8, "4:4:4", "AAC")),
        ("hevc", ("hvc1", "HEVC", "Main", 8, "4:2:0", "AAC")),
        ("hevc_ten_bit", ("hvc1", "HEVC", "Main 10", 10, "4:2:0", "AAC")),
        ("vp9", ("vp09", "VP9", "Profile 0", 8, "4:2:0", "Opus")),
        ("prores", ("apco", "ProRes", "Proxy", None, None, "PCM")),
        ("alpha_xq", ("ap4x", "ProRes", "4444 XQ", None, None, None)),
    ],
)
def test_codec(name: str, expected: tuple[str | int | None, ...]) -> None:
    """The codec of each track is what the encoder was asked for."""
    found = probe(clip(name))
    video = (found.fourcc, found.codec, found.profile, found.bit_depth, found.chroma)
    assert expected == (*video, found.audio)


@pytest.mark.parametrize("name", ["high", "moov_last", "fragmented", "quicktime", "hevc", "vp9"])
def test_measures(name: str) -> None:
    """Length, frames and size are those of the clip, whatever the container."""
    found = probe(clip(name))
    assert pytest.approx(2.0, abs=0.05) == found.duration
    assert (48, 320, 180) == (found.frames, found.width, found.height)
    assert pytest.approx(24.0, abs=0.5) == found.fps
    assert clip(name).stat().st_size == found.size


@pytest.mark.parametrize(
    ("name", "brand", "faststart", "fragmented"),
    [
        ("high", "isom", True, False),
        ("moov_last", "isom", False, False),
        ("fragmented", "isom", True, True),
        ("quicktime", "qt  ", False, False),
    ],
)
def test_container(name: str, brand: str, faststart: bool, fragmented: bool) -> None:
    """Brand, place of the header and fragmentation are told apart."""
    found = probe(clip(name))
    assert (brand, faststart, fragmented) == (found.major_brand, found.faststart, found.fragmented)


_TOP_FIRST = ("-vf", "setfield=tff", "-flags", "+ildct+ilme")
_MATRIX = ",".join(map(str, range(16, 32)))
_X264 = ("-c:v", "libx264", "-preset", "ultrafast")
_PRORES = ("-c:v", "prores_ks", "-profile:v", "3", "-f", "mov")


@pytest.mark.parametrize("fields", [_TOP_FIRST, ()])
@pytest.mark.parametrize(
    "encoder",
    [
        (*_X264, "-profile:v", "main", "-pix_fmt", "yuv420p"),
        (*_X264, "-profile:v", "high", "-pix_fmt", "yuv420p", "-bf", "2", "-8x8dct", "1"),
        (*_X264, "-pix_fmt", "yuv420p", "-x264-params", "cqm=jvt"),
        (*_X264, "-pix_fmt", "yuv444p10le", "-x264-params", "cqm=jvt"),
        (*_X264, "-pix_fmt", "yuv420p", "-x264-params", f"cqm4={_MATRIX}"),
        (*_X264, "-pix_fmt", "yuv422p", "-f", "mov"),
        _PRORES,
    ],
)
def test_interlaced(encoder: tuple[str, ...], fields: tuple[str, ...], scratch: Path) -> None:
    """Pictures of two fields are told from the parameter set, or from QuickTime's field box."""
    picture = ("-f", "lavfi", "-i", "testsrc2=s=320x192:r=25:d=0.2")
    container = () if "-f" in encoder else ("-f", "mp4")
    ffmpeg(*picture, *encoder, *fields, *container, str(scratch))
    assert bool(fields) == probe(scratch).interlaced


@pytest.mark.parametrize("name", ["high", "main", "baseline", "ten_bit", "full_chroma", "hevc"])
def test_progressive(name: str) -> None:
    """Whatever the profile: no clip of whole pictures is taken for interlaced."""
    assert not probe(clip(name)).interlaced


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_rotation(degrees: int, scratch: Path) -> None:
    """Rotation is the clockwise turn that a player makes; ffmpeg counts the other way round."""
    turn = ("-display_rotation", str(-degrees), "-i", str(clip("no_audio")), "-c", "copy")
    ffmpeg(*turn, str(scratch))
    assert degrees == probe(scratch).rotation


def test_the_plain_movie_passes(scratch: Path) -> None:
    """What the hostile files are variations of is itself taken."""
    assert 2.0 == probe(written(scratch, MovieBuilder().bytes())).duration


@pytest.mark.parametrize("size", [(3840, 2160), (2160, 3840)])
def test_4k_passes(size: tuple[int, int], scratch: Path) -> None:
    """4K is taken either way up."""
    found = probe(written(scratch, MovieBuilder(size=size).bytes()))
    assert size == (found.width, found.height)


def test_c2pa_is_seen(scratch: Path) -> None:
    """Content credentials of the vendor are seen, other uuid boxes are not taken for them."""
    credentials = MovieBuilder(before=box(b"uuid", C2PA, bytes(40))).bytes()
    other = MovieBuilder(before=box(b"uuid", bytes(56))).bytes()
    assert probe(written(scratch, credentials)).has_c2pa
    assert not probe(written(scratch, other)).has_c2pa


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_is_invalid(name: str, scratch: Path) -> None:
    """Each hostile or broken file is refused for the reason it was built for."""
    make, words = HOSTILE[name]
    with pytest.raises(MediaError) as refused:
        probe(written(scratch, make()))
    assert "media_invalid" == refused.value.reason
    assert words in refused.value.sentence


@pytest.mark.parametrize("name", MISPLACED)
def test_a_box_where_none_belongs(name: str, scratch: Path) -> None:
    """What a demuxer would find beside the boxes that were weighed is refused."""
    with pytest.raises(MediaError):
        probe(written(scratch, MISPLACED[name]()))


def test_boxes_of_other_names_may_stand_anywhere(scratch: Path) -> None:
    """Tags, references between tracks, groups and unknown boxes are no attack."""
    said = box(b"udta", box(b"meta", bytes(4), box(b"hdlr", bytes(25)), box(b"ilst")), bytes(4))
    groups = box(b"sbgp", numbers(0), b"rap ", numbers(1, 48, 0))
    reference = box(b"tref", box(b"cdsc", numbers(1)))
    unknown = box(b"abcd", box(b"trak"))
    for depth, extra in (
        (1, said),
        (2, said),
        (2, reference),
        (3, said),
        (5, groups),
        (5, unknown),
    ):
        assert 48 == probe(written(scratch, inserted(TABLE[:depth], extra))).frames


@pytest.mark.parametrize("name", INCOMPLETE)
def test_tables_that_disagree(name: str, scratch: Path) -> None:
    """A clip of which a player would find less than its headers tell is refused."""
    make, words = INCOMPLETE[name]
    with pytest.raises(MediaError, match="media_invalid") as refused:
        probe(written(scratch, make()))
    assert words in refused.value.sentence


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_other_media_is_unsupported(name: str, scratch: Path) -> None:
    """Media of a kind that is not handled is called that, not broken."""
    make, words = UNSUPPORTED[name]
    with pytest.raises(MediaError) as refused:
        probe(written(scratch, make()))
    assert "media_unsupported" == refused.value.reason
    assert words in refused.value.sentence


def test_media_data_is_never_read(scratch: Path) -> None:
    """A file of 8 GB costs no more memory than its headers."""
    size = 8 << 30
    with scratch.open("wb") as file:
        file.write(box(b"ftyp", b"isom", bytes(4)))
        file.write(numbers(1, int.from_bytes(b"mdat"), size >> 32, size & 0xFFFFFFFF))
        file.seek(size - 16, 1)
        file.write(MovieBuilder().moov())
    tracemalloc.start()
    try:
        found = probe(scratch)
        assert 1 << 20 > tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        scratch.unlink()
    assert not found.faststart
    assert size < found.size


T = TypeVar("T")


def outcome(read: Callable[[Path], T], path: Path) -> T | MediaError:
    """What was read, or the refusal; any other exception is the test's failure."""
    try:
        return read(path)
    except MediaError as refused:
        return refused


REAL = ["high", "fragmented", "hevc", "vp9", "quicktime"]
WORDS = st.one_of(
    st.sampled_from([0, 1, 7, 8, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]), st.integers(0, 2**32 - 1)
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good file of which some numbers are changed, and which may be cut or patched together."""
    name = draw(st.sampled_from([*REAL, "built"]))
    data = bytearray(MovieBuilder().bytes() if name == "built" else clip(name).read_bytes())
    moov = data.find(b"moov")
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, 3000)) + draw(st.sampled_from([0, moov]))
        if at + 4 <= len(data):
            data[at : at + 4] = numbers(draw(WORDS))
    if draw(st.booleans()):
        del data[draw(st.integers(0, len(data))) :]
    return bytes(data)


@settings(max_examples=400, deadline=timedelta(seconds=2))
@given(data=mutated())
def test_a_mutated_file_is_read_or_refused(data: bytes, scratch: Path) -> None:
    """Whatever the bytes: facts within the bounds, or `MediaError`, in bounded time."""
    match outcome(probe, written(scratch, data)):
        case MediaError(reason=reason):
            assert reason in {"media_invalid", "media_unsupported"}
        case found:
            assert 0 < found.duration <= 600
            assert 0 < found.frames <= 1 << 20
            assert found.width * found.height <= 4096 * 2304


@settings(max_examples=200, deadline=timedelta(seconds=2))
@given(data=mutated())
def test_tags_of_a_mutated_file(data: bytes, scratch: Path) -> None:
    """Reading tags of any bytes gives text or `MediaError`, and nothing else."""
    match outcome(read_tags, written(scratch, data)):
        case MediaError(reason=reason):
            assert "media_invalid" == reason
        case found:
            assert all(isinstance(value, str) for value in found.values())


@pytest.mark.parametrize("flags", ["use_metadata_tags", "faststart"])
def test_tags_are_read(flags: str, scratch: Path) -> None:
    """Standard tags are read in both shapes that ffmpeg writes them in."""
    said = ("-metadata", "title=Füchse", "-metadata", "comment=im Schnee")
    ffmpeg("-i", str(clip("high")), "-c", "copy", *said, "-movflags", flags, str(scratch))
    found = read_tags(scratch)
    assert ("Füchse", "im Schnee") == (found["title"], found["comment"])
