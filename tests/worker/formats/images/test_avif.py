"""AVIFs of every layout are tagged, and keep no prompt."""

import json
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories.avif import Layout, relaid
from tests.factories.clips import ffmpeg, tags
from tests.factories.mp4_boxes import box
from tests.worker.formats.test_aigc_label import comment
from worker.formats.images import avif, read_tags, size_of, tag
from worker.formats.images.heif.meta_box import Heif
from worker.formats.tags import AI_ORIGIN
from worker.formats.xmp import packet

SECRET = b"SECRET PROMPT"
LABEL = '{"Label":"1","ContentProducer":"vendor"}'
METADATA = packet([("dc:description", SECRET.decode()), ("TC260:AIGC", LABEL)])
SOURCE = ("-f", "lavfi", "-i", "testsrc2=s=322x182:d=1:r=4")
AV1 = ("-pix_fmt", "yuv420p", "-c:v", "libsvtav1", "-preset", "10", "-f", "avif")

ONE_ROW = b"\0\1\0\0\0\1"  # iloc: the first item, in this file, in one part

LAYOUTS = {
    "plain": Layout(),
    "libheif": Layout(base=4, iloc=1),
    "no offsets": Layout(base=4, offset=0),
    "wide offsets": Layout(offset=8, length=8, base=8, iloc=1, index=4),
    "wide numbers": Layout(iloc=2, wide=True),
    "said in meta": Layout(iloc=1, in_meta=True),
    "in two parts": Layout(halves=True),
    "to the end": Layout(endless=True),
    "all": Layout(iloc=2, wide=True, in_meta=True, halves=True, base=8, index=8, endless=True),
}


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An AVIF of 322x182 pixels."""
    path = tmp_path_factory.mktemp("still") / "still.avif"
    ffmpeg(*SOURCE, "-frames:v", "1", *AV1, str(path))
    return path.read_bytes()


def laid(still: bytes, name: str, path: Path) -> Path:
    exif = b"II*\0" + struct.pack("<IHHHIII", 8, 1, 0x010E, 2, len(SECRET), 26, 0) + SECRET
    path.write_bytes(relaid(still, LAYOUTS[name], exif=exif, xmp=METADATA))
    return path


def pixels(data: bytes) -> Iterator[bytes]:
    """Yield the bytes of the items that are images."""
    heif = Heif.read(data)
    for item in heif.items:
        if item.kind == b"av01":
            spans = heif.locations[item.number].ranges
            yield b"".join(data[span.start : span.stop] for span in spans)


def decoded(path: Path, *which: str) -> str:
    return ffmpeg("-xerror", "-i", str(path), *which, "-f", "hash", "-")


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout(name: str, still: bytes, tmp_path: Path) -> None:
    """The AI origin and the label are written, texts are removed, pixels do not change."""
    path = laid(still, name, tmp_path / "picture.avif")
    (tmp_path / "still.avif").write_bytes(still)
    assert (322, 182) == size_of(path)
    tag(path, tags().xmp(read_tags(path)))
    once = path.read_bytes()
    assert AI_ORIGIN.encode() in once
    assert SECRET not in once
    assert {"AIGC": LABEL} == read_tags(path)
    media = still[still.index(b"mdat") + 4 :]
    assert [media, media] == list(pixels(once))
    if not LAYOUTS[name].halves:  # ffmpeg does not read these
        for stream in ("0:v:0", "0:v:1"):
            assert decoded(tmp_path / "still.avif") == decoded(path, "-map", stream)
    assert (322, 182) == size_of(path)
    tag(path, tags().xmp(read_tags(path)))
    assert once == path.read_bytes()


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
def test_others_read_it(name: str, still: bytes, tmp_path: Path) -> None:
    """exiftool finds the packet, the size, no text of the source, and no fault."""
    path = laid(still, name, tmp_path / "picture.avif")
    tag(path, tags().xmp(read_tags(path)))
    command = ["exiftool", "-json", "-a", "-G1", "-all", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    (shown,) = json.loads(done.stdout)
    assert "A fox in the snow" == shown["XMP-dc:Title"]
    assert "322x182" in {shown.get("Meta:ImageSpatialExtent"), shown.get("Composite:ImageSize")}
    assert SECRET.decode() not in done.stdout
    assert not [key for key in shown if key.endswith((":Warning", ":Error")) or "IFD0" in key]


def test_a_label_in_exif(still: bytes, tmp_path: Path) -> None:
    """A label in EXIF is read."""
    path = tmp_path / "picture.avif"
    path.write_bytes(relaid(still, Layout(), exif=comment(LABEL), xmp=packet([])))
    assert json.loads(LABEL) == json.loads(read_tags(path)["AIGC"])


def test_a_sequence(tmp_path: Path) -> None:
    """The frames of an animated AVIF, which has a movie header, do not change."""
    path = tmp_path / "sequence.avif"
    ffmpeg(*SOURCE, "-metadata", f"title={SECRET.decode()}", *AV1, str(path))
    before = decoded(path, "-map", "0:v")
    count = ffmpeg("-i", str(path), "-map", "0:v", "-c", "copy", "-f", "framecrc", "-").count("\n")
    assert count > 4
    for _ in range(2):
        tag(path, tags().xmp({}))
    assert (before, 1) == (
        decoded(path, "-map", "0:v"),
        path.read_bytes().count(b"x:xmpmeta xmlns"),
    )
    assert (322, 182) == size_of(path)
    assert SECRET not in path.read_bytes()


def _again(kind: bytes) -> Callable[[bytes], bytes]:
    return lambda data: data + box(kind, bytes(4))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_again(b"meta"), "exactly one meta box"),
        (_again(b"moof"), "fragmented"),
        (lambda data: data + bytes(3), "cut short"),
        (lambda data: data[:-1], "cut short"),
        (lambda data: data.replace(b"iinf\0", b"iinf\1"), "one of its boxes"),
        (lambda data: data.replace(b"iloc\0", b"iloc\3"), "unknown version"),
        (lambda data: data.replace(b"infe\2", b"infe\1"), "unknown version"),
        (lambda data: data.replace(b"ispe", b"free"), "width and height"),
        (lambda data: data.replace(b"pitm", b"free"), "lacks a required box"),
        (lambda data: data.replace(b"\0\1\0\0av01", b"\0\1\0\1av01", 1), "protected"),
        (lambda data: data.replace(b"mdat", b"free"), "outside its media data"),
        (lambda data: data.replace(ONE_ROW, b"\0\1\0\2\0\1", 1), "other files"),
    ],
)
def test_broken_files_are_refused(
    change: Callable[[bytes], bytes], words: str, still: bytes, tmp_path: Path
) -> None:
    """A broken file, or one of an unknown layout, stays unchanged; the error says why."""
    path = laid(still, "plain", tmp_path / "picture.avif")
    data = change(path.read_bytes())
    assert data != path.read_bytes()
    path.write_bytes(data)
    with pytest.raises(ValueError, match=words):
        tag(path, METADATA)
    assert data == path.read_bytes()


def test_metadata_that_overlaps_the_image_is_refused(still: bytes, tmp_path: Path) -> None:
    """Metadata is overwritten, and the image with it if they share bytes."""
    path = laid(still, "plain", tmp_path / "picture.avif")
    data = path.read_bytes()
    at = data.index(b"iloc") + 12
    row = 14  # bytes of an item's number, file, count, offset and length
    offset = data[at + 6 : at + 10]
    result = data[: at + 2 * row + 6] + offset + data[at + 2 * row + 10 :]
    path.write_bytes(result)
    with pytest.raises(ValueError, match="overlaps the image data"):
        tag(path, METADATA)


@given(
    name=st.sampled_from(sorted(LAYOUTS)),
    changes=st.lists(st.tuples(st.integers(0, 700), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_any_header(name: str, changes: list[tuple[int, int]], still: bytes) -> None:
    """A file with any header is refused, or can be read and tagged again once tagged."""
    data = bytearray(relaid(still, LAYOUTS[name], exif=bytes(40), xmp=METADATA))
    for at, value in changes:
        data[at] = value
    try:
        size, result = avif.size_of(bytes(data)), avif.tagged(bytes(data), METADATA)
    except ValueError:
        return
    assert METADATA == avif.xmp_of(result)
    assert size == avif.size_of(result)
    assert result == avif.tagged(result, METADATA)
