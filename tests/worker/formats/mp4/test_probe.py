"""The headers of an MP4, read without a decoder and without trusting them."""

import tracemalloc
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.factories.attacks import INCOMPLETE, MISPLACED, inserted
from tests.factories.clips import clip, ffmpeg
from tests.factories.mp4_boxes import HOSTILE, TABLE, UNSUPPORTED, MovieBuilder, box, numbers
from worker.formats.errors import MediaError
from worker.formats.mp4 import probe, read_tags
from worker.formats.mp4.probe import C2PA


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that is overwritten by each test."""
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
    """The codec of each track is the one that was requested of the encoder."""
    result = probe(clip(name))
    video = (result.fourcc, result.codec, result.profile, result.bit_depth, result.chroma)
    assert expected == (*video, result.audio)


@pytest.mark.parametrize("name", ["high", "moov_last", "fragmented", "quicktime", "hevc", "vp9"])
def test_measures(name: str) -> None:
    """Duration, frames and size are those of the clip, in any container."""
    result = probe(clip(name))
    assert pytest.approx(2.0, abs=0.05) == result.duration
    assert (48, 320, 180) == (result.frames, result.width, result.height)
    assert pytest.approx(24.0, abs=0.5) == result.fps
    assert clip(name).stat().st_size == result.size


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
    """Brand, position of the header and fragmentation are read."""
    result = probe(clip(name))
    assert (brand, faststart, fragmented) == (
        result.major_brand,
        result.faststart,
        result.fragmented,
    )


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
    """Interlacing is read from the parameter set, or from QuickTime's field box."""
    picture = ("-f", "lavfi", "-i", "testsrc2=s=320x192:r=25:d=0.2")
    container = () if "-f" in encoder else ("-f", "mp4")
    ffmpeg(*picture, *encoder, *fields, *container, str(scratch))
    assert bool(fields) == probe(scratch).interlaced


@pytest.mark.parametrize("name", ["high", "main", "baseline", "ten_bit", "full_chroma", "hevc"])
def test_progressive(name: str) -> None:
    """A progressive clip of any profile is not treated as interlaced."""
    assert not probe(clip(name)).interlaced


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_rotation(degrees: int, scratch: Path) -> None:
    """Rotation is the clockwise turn that a player applies; ffmpeg counts the other way."""
    turn = ("-display_rotation", str(-degrees), "-i", str(clip("no_audio")), "-c", "copy")
    ffmpeg(*turn, str(scratch))
    assert degrees == probe(scratch).rotation


def test_the_plain_movie_passes(scratch: Path) -> None:
    """The movie that the hostile files are variations of is accepted."""
    assert 2.0 == probe(written(scratch, MovieBuilder().bytes())).duration


@pytest.mark.parametrize("size", [(3840, 2160), (2160, 3840)])
def test_4k_passes(size: tuple[int, int], scratch: Path) -> None:
    """4K is accepted in both orientations."""
    result = probe(written(scratch, MovieBuilder(size=size).bytes()))
    assert size == (result.width, result.height)


def test_c2pa_is_detected(scratch: Path) -> None:
    """Content credentials are detected; other uuid boxes are not treated as such."""
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
def test_a_misplaced_box(name: str, scratch: Path) -> None:
    """A box that a demuxer would use in addition to those checked is refused."""
    with pytest.raises(MediaError):
        probe(written(scratch, MISPLACED[name]()))


def test_other_boxes_are_allowed_anywhere(scratch: Path) -> None:
    """Tags, references between tracks, groups and unknown boxes are accepted."""
    user_data = box(
        b"udta", box(b"meta", bytes(4), box(b"hdlr", bytes(25)), box(b"ilst")), bytes(4)
    )
    groups = box(b"sbgp", numbers(0), b"rap ", numbers(1, 48, 0))
    reference = box(b"tref", box(b"cdsc", numbers(1)))
    unknown = box(b"abcd", box(b"trak"))
    for depth, extra in (
        (1, user_data),
        (2, user_data),
        (2, reference),
        (3, user_data),
        (5, groups),
        (5, unknown),
    ):
        assert 48 == probe(written(scratch, inserted(TABLE[:depth], extra))).frames


@pytest.mark.parametrize("name", INCOMPLETE)
def test_tables_that_disagree(name: str, scratch: Path) -> None:
    """A clip that a player could play only in part is refused."""
    make, words = INCOMPLETE[name]
    with pytest.raises(MediaError, match="media_invalid") as refused:
        probe(written(scratch, make()))
    assert words in refused.value.sentence


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_other_media_is_unsupported(name: str, scratch: Path) -> None:
    """Media that is not supported is reported as such, not as broken."""
    make, words = UNSUPPORTED[name]
    with pytest.raises(MediaError) as refused:
        probe(written(scratch, make()))
    assert "media_unsupported" == refused.value.reason
    assert words in refused.value.sentence


def test_media_data_is_never_read(scratch: Path) -> None:
    """A file of 8 GB takes no more memory than its headers."""
    size = 8 << 30
    with scratch.open("wb") as file:
        file.write(box(b"ftyp", b"isom", bytes(4)))
        file.write(numbers(1, int.from_bytes(b"mdat"), size >> 32, size & 0xFFFFFFFF))
        file.seek(size - 16, 1)
        file.write(MovieBuilder().moov())
    tracemalloc.start()
    try:
        result = probe(scratch)
        assert 1 << 20 > tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        scratch.unlink()
    assert not result.faststart
    assert size < result.size


T = TypeVar("T")


def outcome(read: Callable[[Path], T], path: Path) -> T | MediaError:
    """Return the result or the refusal; any other exception fails the test."""
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
    """A valid file with some numbers changed; it may be cut short."""
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
    """Any bytes give facts within the limits, or `MediaError`, in bounded time."""
    match outcome(probe, written(scratch, data)):
        case MediaError(reason=reason):
            assert reason in {"media_invalid", "media_unsupported"}
        case result:
            assert 0 < result.duration <= 600
            assert 0 < result.frames <= 1 << 20
            assert result.width * result.height <= 4096 * 2304


@settings(max_examples=200, deadline=timedelta(seconds=2))
@given(data=mutated())
def test_tags_of_a_mutated_file(data: bytes, scratch: Path) -> None:
    """Reading tags of any bytes gives text or `MediaError`."""
    match outcome(read_tags, written(scratch, data)):
        case MediaError(reason=reason):
            assert "media_invalid" == reason
        case result:
            assert all(isinstance(value, str) for value in result.values())


@pytest.mark.parametrize("flags", ["use_metadata_tags", "faststart"])
def test_tags_are_read(flags: str, scratch: Path) -> None:
    """Standard tags are read in both forms that ffmpeg writes."""
    metadata = ("-metadata", "title=Füchse", "-metadata", "comment=im Schnee")
    ffmpeg("-i", str(clip("high")), "-c", "copy", *metadata, "-movflags", flags, str(scratch))
    result = read_tags(scratch)
    assert ("Füchse", "im Schnee") == (result["title"], result["comment"])
