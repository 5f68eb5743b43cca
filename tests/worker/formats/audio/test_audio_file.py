"""Tags of audio files are read by every program, and packets do not change."""

import json
import shutil
import subprocess
import tracemalloc
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.factories.audio import SOUNDS, TAGGED, endless, heard, sound
from tests.factories.clips import ffmpeg, tags
from tests.factories.mp4_boxes import box
from worker.formats.aigc_label import AIGC
from worker.formats.audio import NotTaggable, has_credentials, ogg, tag
from worker.formats.audio.rewrite import MAX_TAGS
from worker.formats.marks import Mark, Marks
from worker.formats.tag_choices import PromptTag
from worker.formats.tags import AI_ORIGIN

MARKED = replace(
    tags(),
    marks=Marks(places=frozenset(Mark), provider="Acme"),
    prompt="a fox",
    prompt_tag=PromptTag.TEXT,
)
WITH_XMP = [name for name in SOUNDS if not name.endswith((".flac", ".ogg"))]
MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory for files that are overwritten by each test."""
    return tmp_path_factory.mktemp("sounds")


def tagged(name: str, into: Path) -> Path:
    tag(sound(name), into / name, MARKED)
    return into / name


def output_of(program: str, *arguments: str) -> str:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    command = [program, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def probed(path: Path) -> dict[str, str]:
    """Return the tags that ffprobe shows, by lower-case names."""
    shown = json.loads(
        output_of(
            "ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json", str(path)
        )
    )
    found = shown["streams"][0].get("tags", {}) | shown["format"].get("tags", {})
    return {name.lower(): value for name, value in found.items()}


@pytest.mark.parametrize("name", SOUNDS)
def test_packets_are_the_same(name: str, tmp_path: Path) -> None:
    """Every packet equals the source's; tagging again does not change the file."""
    path = tagged(name, tmp_path)
    assert heard(sound(name)) == heard(path)
    assert () == tag(path, tmp_path / "again", MARKED)
    assert path.read_bytes() == (tmp_path / "again").read_bytes()


@pytest.mark.parametrize("name", SOUNDS)
def test_ffprobe_reads_it(name: str, tmp_path: Path) -> None:
    """ffprobe shows title, date and comment, and the ids as tags or in the comment."""
    found = probed(tagged(name, tmp_path))
    assert "A fox in the snow" == found["title"]
    assert found["date"].startswith("2026-03-04T05:06:07")
    assert f"made for a test | AI-generated (DigitalSourceType={AI_ORIGIN})" in found["comment"]
    assert "Acme" == json.loads(found["aigc"])["ContentProducer"]
    for key in ("falhook.job_id", "falhook.endpoint", "falhook.request_id", "falhook.prompt"):
        value = MARKED.pairs({})[key]
        assert value == found.get(key) or f"{key}={value}" in found["comment"]
    assert any("Article 50(2)" in value for value in found.values())


@pytest.mark.parametrize("name", WITH_XMP)
def test_exiftool_reads_xmp(name: str, tmp_path: Path) -> None:
    """exiftool shows the XMP, and finds no fault with the file."""
    path = tagged(name, tmp_path)
    (found,) = json.loads(output_of("exiftool", "-json", "-G1", "-a", str(path)))
    assert AI_ORIGIN == found["XMP-iptcExt:DigitalSourceType"]
    assert "A fox in the snow" == found["XMP-dc:Title"]
    assert "job-1" == found["XMP-falhook:JobId"]
    if name != "rf64.wav":  # exiftool does not read its sizes
        assert "OK" in output_of("exiftool", "-validate", str(path))


@pytest.mark.parametrize("name", ["plain.flac", "tagged.flac", "plain.ogg", "tagged.ogg"])
def test_exiftool_reads_comments(name: str, tmp_path: Path) -> None:
    """exiftool shows the tags of FLAC and Ogg, which have no place for XMP, as comments."""
    (found,) = json.loads(output_of("exiftool", "-json", "-s", str(tagged(name, tmp_path))))
    assert (AI_ORIGIN, "job-1") == (found["Digitalsourcetype"], found["FalhookJobId"])


@pytest.mark.parametrize("name", SOUNDS)
def test_mediainfo_reads_it(name: str, tmp_path: Path) -> None:
    """mediainfo shows title, comment and ids."""
    shown = output_of("mediainfo", str(tagged(name, tmp_path)))
    general = shown.partition("\nAudio")[0]
    for words in ("A fox in the snow", AI_ORIGIN, "job-1", "request-1", "made for a test"):
        assert words in general


@pytest.mark.parametrize("name", [*TAGGED, "v3.mp3", "rf64.wav"])
def test_other_tags_are_kept(name: str, tmp_path: Path) -> None:
    """The source's other tags are kept; those that ours replace are returned."""
    replaced = tag(sound(name), tmp_path / name, MARKED)
    found = probed(tmp_path / name)
    assert "Fox Band" == found["artist"]
    assert not {"Old", "Older"} & set(found.values())
    assert len(replaced) >= 2


def test_a_cover_image_is_kept(tmp_path: Path) -> None:
    """The cover image of an MP3, a FLAC or an M4A does not change."""
    cover = tmp_path / "cover.png"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:d=1", "-frames:v", "1", str(cover))
    for name in ("plain.mp3", "plain.flac", "plain.m4a"):
        source, target = tmp_path / f"covered-{name}", tmp_path / name
        both = ("-i", str(sound(name)), "-i", str(cover), "-map", "0", "-map", "1", "-c", "copy")
        ffmpeg(*both, "-disposition:v:0", "attached_pic", str(source))
        tag(source, target, MARKED)
        assert cover.read_bytes() in target.read_bytes(), name
        assert heard(source) == heard(target)


def test_a_wav_of_unknown_length(tmp_path: Path) -> None:
    """A streamed WAV, written without its sizes, gets the correct ones."""
    source = endless(tmp_path / "endless.wav")
    tag(source, tmp_path / "made.wav", MARKED)
    assert heard(sound("plain.wav")) == heard(tmp_path / "made.wav")
    made = (tmp_path / "made.wav").read_bytes()
    assert len(made) - 8 == int.from_bytes(made[4:8], "little")


def test_the_size_of_an_rf64(tmp_path: Path) -> None:
    """ds64 holds the size of the tagged file; the size of the samples does not change."""
    made = tagged("rf64.wav", tmp_path).read_bytes()
    before = sound("rf64.wav").read_bytes()
    assert (b"RF64\xff\xff\xff\xffWAVEds64", len(made) - 8) == (
        made[:16],
        int.from_bytes(made[20:28], "little"),
    )
    assert before[28:36] == made[28:36]


@pytest.mark.parametrize("name", ["plain.ogg", "tagged.ogg"])
def test_pages_have_their_checksums(name: str, tmp_path: Path) -> None:
    """Checksums equal those of libogg, and new pages have the correct ones."""
    for path in (sound(name), tagged(name, tmp_path)):
        data, at = path.read_bytes(), 0
        with path.open("rb") as file:
            while at < len(data):
                page = ogg._Page.read(file, at)
                assert data[at : page.end] == page.bytes()
                at = page.end


LABEL = '{"Label":"1","ContentProducer":"Kling","ContentPropagator":"fal"}'


@pytest.mark.parametrize("name", ["plain.mp3", "plain.flac", "plain.ogg", "plain.m4a", "plain.wav"])
def test_the_producers_label_is_kept(name: str, tmp_path: Path) -> None:
    """A Chinese label in the source is kept unchanged."""
    source = tmp_path / f"labelled-{name}"
    label = ("-metadata", f"{AIGC}={LABEL}", "-metadata:s:a", f"{AIGC}={LABEL}")
    keys = ("-movflags", "use_metadata_tags") if name.endswith("m4a") else ()
    if name.endswith("wav"):  # ffmpeg writes only standard names there
        chunk = b"LIST" + (4 + 8 + len(LABEL)).to_bytes(4, "little") + b"INFOAIGC"
        chunk += len(LABEL).to_bytes(4, "little") + LABEL.encode()
        source.write_bytes(sound(name).read_bytes() + chunk + bytes(len(LABEL) % 2))
    else:
        ffmpeg("-i", str(sound(name)), "-c", "copy", *label, *keys, str(source))
    tag(source, tmp_path / name, MARKED)
    found = json.loads(probed(tmp_path / name)["aigc"])
    assert json.loads(LABEL) == {key: value for key, value in found.items() if value}


@pytest.mark.parametrize("name", SOUNDS)
def test_without_credentials(name: str) -> None:
    """Audio files of encoders have no content credentials."""
    assert not has_credentials(sound(name))


def with_credentials(name: str) -> bytes:
    """Return the file with a store of content credentials."""
    data, store = sound(name).read_bytes(), box(b"jumb", b"c2pa")
    if name.endswith(".mp3"):
        frame = b"\0application/c2pa\0\0\0" + store
        tag_ = b"GEOB" + len(frame).to_bytes(4) + bytes(2) + frame
        return b"ID3\4\0\0" + len(tag_).to_bytes(4) + tag_ + data
    if name.endswith(".wav"):
        return data + b"C2PA" + len(store).to_bytes(4, "little") + store
    return data + box(b"uuid", bytes.fromhex("d8fec3d61b0e483c92975828877ec481"), store)


@pytest.mark.parametrize("name", ["plain.mp3", "plain.wav", "plain.m4a"])
def test_credentials_are_detected(name: str, tmp_path: Path) -> None:
    """A manifest is found where the C2PA specification puts it."""
    (tmp_path / name).write_bytes(with_credentials(name))
    assert has_credentials(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("plain.wav", lambda data: data[:-100], "cut short"),
        ("plain.wav", lambda data: data.replace(b"fmt ", b"junk"), "not a complete WAV"),
        ("plain.wav", lambda data: data + b"TAG", "inside a chunk header"),
        ("plain.wav", lambda data: data + b"LIST\x0c\0\0\0INFOINAM\xff\0\0\0", "is broken"),
        ("rf64.wav", lambda data: data.replace(b"ds64", b"JUNK"), "does not come first"),
        ("plain.flac", lambda data: data[:60], "cut short"),
        ("plain.flac", lambda data: b"fLaC\x84\0\0\0" + data[4:], "not a complete FLAC"),
        ("tagged.mp3", lambda data: data[:5] + b"\x80" + data[6:], "not supported"),
        ("tagged.mp3", lambda data: data[:3] + b"\2" + data[4:], "not supported"),
        ("tagged.mp3", lambda data: data[:6] + b"\0\0\x10\0", "cut short"),
        ("tagged.mp3", lambda data: data[:6] + b"\x7f" * 4 + data[10:], "larger than"),
        ("tagged.mp3", lambda data: data.replace(b"TIT2\0", b"TIT2\x7f"), "broken"),
        ("tagged.mp3", lambda data: data.replace(b"\xff\xfb", b"\0\0"), "not followed by"),
        ("tagged.ogg", lambda data: data[:80], "cut short"),
        ("tagged.ogg", lambda data: data.replace(b"vorbis", b"speexs"), "neither Opus nor"),
        ("tagged.ogg", lambda data: data.replace(b"\3vorbis", b"\3sibrov"), "missing or misplaced"),
        ("tagged.m4a", lambda data: data[:-100], "cut short"),
        ("plain.wav", lambda data: b"\xff\xf1" + data, "not an MP3, WAV"),
    ],
)
def test_broken_files_are_refused(name: str, change: object, words: str, tmp_path: Path) -> None:
    """An incomplete file, or one of an unsupported form, is refused with the reason."""
    assert callable(change)
    (tmp_path / name).write_bytes(change(sound(name).read_bytes()))
    with pytest.raises(NotTaggable, match=words):
        tag(tmp_path / name, tmp_path / "out", MARKED)


def test_an_ogg_of_two_streams_is_refused(tmp_path: Path) -> None:
    """A second stream may be anything, such as content credentials."""
    path = tmp_path / "two.ogg"
    one = ("-i", str(sound("plain.ogg")))
    ffmpeg(*one, *one, "-map", "0", "-map", "1", "-c", "copy", str(path))
    with pytest.raises(NotTaggable, match="more than one stream"):
        tag(path, tmp_path / "out.ogg", MARKED)


def test_an_ogg_without_room_is_refused(tmp_path: Path) -> None:
    """Tags that need more pages are refused: later pages would need new numbers."""
    path, comment = tmp_path / "full.ogg", f"lyrics={'x' * 64_700}"
    metadata = ("-map_metadata", "-1", "-metadata:s:a", comment)
    ffmpeg("-i", str(sound("plain.ogg")), "-c", "copy", *metadata, str(path))
    with pytest.raises(NotTaggable, match="no room for our tags"):
        tag(path, tmp_path / "out.ogg", MARKED)


@pytest.mark.parametrize("name", ["plain.wav", "plain.mp3"])
def test_memory_is_bounded(name: str, tmp_path: Path) -> None:
    """Tagging 256 MB takes less than 4 MB of memory."""
    path, size = tmp_path / name, 256 * MEGABYTE
    shutil.copy(endless(path) if name.endswith("wav") else sound(name), tmp_path / "source")
    with (tmp_path / "source").open("r+b") as file:
        file.truncate(size)
    tracemalloc.start()
    try:
        tag(tmp_path / "source", path, MARKED)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * MEGABYTE
    assert size < path.stat().st_size < size + MEGABYTE


def test_the_size_of_all_tags_is_limited(tmp_path: Path) -> None:
    """Lists of tags that are each small enough may be too large together."""
    shutil.copy(sound("plain.wav"), tmp_path / "source")
    with (tmp_path / "source").open("ab") as file:
        for _ in range(3):
            size = MAX_TAGS // 2
            file.write(b"LIST" + (size + 12).to_bytes(4, "little") + b"INFOIKEY")
            file.write(size.to_bytes(4, "little") + bytes(size))
    with pytest.raises(NotTaggable, match="its tags are larger than"):
        tag(tmp_path / "source", tmp_path / "out", MARKED)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A valid file with wrong bytes in its tags and sizes; it may be cut short."""
    name = draw(st.sampled_from(sorted(SOUNDS)))
    data = bytearray(sound(name).read_bytes())
    ends = st.integers(0, 600) | st.integers(len(data) - 900, len(data) - 1)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(ends)
        value = draw(st.sampled_from([b"\xff" * 4, bytes(4), b"\x7f"]) | st.binary(max_size=4))
        data[at : at + len(value)] = value
    return bytes(data[: draw(st.integers(0, len(data)) | st.just(len(data)))])


@settings(max_examples=400, deadline=timedelta(seconds=2))
@given(data=mutated())
def test_a_mutated_file_is_tagged_or_refused(data: bytes, scratch: Path) -> None:
    """Any file is refused, or tagged so that tagging again changes nothing."""
    source, target, again = (scratch / name for name in ("mutated", "tagged", "again"))
    source.write_bytes(data)
    tracemalloc.start()
    try:
        has_credentials(source)
        tag(source, target, MARKED)
        tag(target, again, MARKED)
    except NotTaggable:
        return
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2 * MAX_TAGS
    assert target.read_bytes() == again.read_bytes()
