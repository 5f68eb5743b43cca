"""Of an image's metadata its label and what changes its look are kept."""

import json
import shutil
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories.clips import ffmpeg, tags
from worker.formats.images import avif, read_tags, size_of, tag
from worker.formats.images.exif import orientation_block
from worker.formats.xmp import packet, text_of

SECRET = b"SECRET PROMPT"
PROFILE = b"a colour profile"
LABEL = '{"Label":"1","ContentProducer":"vendor & sons"}'
XMP = packet([("dc:description", SECRET.decode()), ("TC260:AIGC", LABEL)])
QUARTER = 6  # EXIF orientation: to be turned by 90 degrees clockwise


def exif(orientation: int, order: str = ">") -> bytes:
    """A TIFF block with a description, the orientation, and the program's name."""
    text = 8 + 2 + 3 * 12 + 4
    entries = [(0x010E, 2, text), (0x0112, 3, None), (0x0131, 2, text)]
    packed = b"".join(
        struct.pack(f"{order}HHI", number, kind, 1 if value is None else len(SECRET))
        + (struct.pack(f"{order}HH", orientation, 0) if value is None else b"")
        + (struct.pack(f"{order}I", value) if value is not None else b"")
        for number, kind, value in entries
    )
    head = b"II*\0" if order == "<" else b"MM\0*"
    return b"".join((head, struct.pack(f"{order}IH", 8, len(entries)), packed, bytes(4), SECRET))


def described_jpeg(data: bytes) -> bytes:
    def segment(marker: int, body: bytes) -> bytes:
        return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2) + body

    return b"".join(
        (
            data[:2],
            segment(0xE1, b"Exif\0\0" + exif(QUARTER)),
            segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP),
            segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + SECRET),
            segment(0xE2, b"ICC_PROFILE\0\1\1" + PROFILE),
            b"\xff\xff",  # fill bytes
            segment(0xED, b"Photoshop 3.0\0" + SECRET),
            segment(0xFE, SECRET),
            data[2:],
        )
    )


def described_png(data: bytes) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4)

    return b"".join(
        (
            data[:33],
            chunk(b"iCCP", b"name\0\0" + zlib.compress(PROFILE)),
            chunk(b"eXIf", exif(QUARTER)),
            chunk(b"tEXt", b"Comment\0" + SECRET),
            chunk(b"zTXt", b"parameters\0\0" + zlib.compress(SECRET)),
            chunk(b"iTXt", b"Description\0\0\0en\0\0" + SECRET),
            chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(XMP)),
            data[33:],
        )
    )


def described_webp(data: bytes) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return kind + len(body).to_bytes(4, "little") + body + bytes(len(body) % 2)

    size = (63).to_bytes(3, "little") + (47).to_bytes(3, "little")
    body = b"".join(
        (
            b"WEBP",
            chunk(b"VP8X", bytes((0x20 | 0x08 | 0x04, 0, 0, 0)) + size),
            chunk(b"ICCP", PROFILE),
            data[12:],
            chunk(b"EXIF", exif(QUARTER, "<")),
            chunk(b"XMP ", XMP),
        )
    )
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def described_gif(data: bytes) -> bytes:
    comment = b"\x21\xfe" + bytes((len(SECRET),)) + SECRET + b"\0"
    magic = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
    return data[:-1] + comment + b"\x21\xff\x0bXMP DataXMP" + XMP + magic + data[-1:]


def described_avif(data: bytes) -> bytes:
    return avif.tagged(data, XMP)  # has no other metadata


DESCRIBED: dict[str, Callable[[bytes], bytes]] = {
    "jpg": described_jpeg,
    "png": described_png,
    "webp": described_webp,
    "gif": described_gif,
    "avif": described_avif,
}


IMAGE = ("-update", "1", "-f", "image2")
FORMS: dict[str, tuple[str, ...]] = {
    "jpg": IMAGE,
    "png": IMAGE,
    "webp": IMAGE,
    "gif": ("-c:v", "gif", *IMAGE),
    "avif": ("-pix_fmt", "yuv420p", "-c:v", "libsvtav1", "-preset", "10", "-f", "avif"),
}


@pytest.fixture(params=DESCRIBED)
def described(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An image of 64x48 pixels with all kinds of metadata, the prompt in most of them."""
    plain, path = tmp_path / f"plain.{request.param}", tmp_path / f"described.{request.param}"
    source = ("-f", "lavfi", "-i", "testsrc2=s=64x48:d=1", "-frames:v", "1")
    ffmpeg(*source, *FORMS[request.param], str(plain))
    path.write_bytes(DESCRIBED[request.param](plain.read_bytes()))
    return path


def pixels(path: Path) -> str:
    turned = ("-noautorotate", "-i", str(path), "-pix_fmt", "rgba", "-f", "hash", "-")
    return ffmpeg(*turned)


def test_the_label_is_read(described: Path) -> None:
    """A producer's label is read, and kept in the tagged image."""
    assert {"AIGC": LABEL} == read_tags(described)
    tag(described, tags().xmp(read_tags(described)))
    assert {"AIGC": LABEL} == read_tags(described)


def test_metadata_is_removed(described: Path) -> None:
    """The prompt and an older packet are removed from every place."""
    before = described.read_bytes()
    assert SECRET in before
    tag(described, tags().xmp({}))
    assert SECRET not in described.read_bytes()
    assert zlib.compress(SECRET) not in described.read_bytes()
    assert {} == read_tags(described)


def test_its_look_is_kept(described: Path) -> None:
    """Pixels, size, colour profile and orientation are kept."""
    before = pixels(described)
    tag(described, tags().xmp({}))
    once = described.read_bytes()
    assert before == pixels(described)
    assert (64, 48) == size_of(described)
    if described.suffix not in {".gif", ".avif"}:  # these have neither
        assert PROFILE in once or zlib.compress(PROFILE) in once
        assert orientation_block(exif(QUARTER)) in once
    tag(described, tags().xmp({}))
    assert once == described.read_bytes()


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
def test_others_read_it(described: Path) -> None:
    """exiftool finds the label and the orientation, and no older metadata."""
    tag(described, tags().xmp(read_tags(described)))
    command = ["exiftool", "-j", "-n", "-a", "-G1", "-all", str(described)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    (found,) = json.loads(done.stdout)
    named = {name.lower(): value for name, value in found.items()}  # versions differ in case
    assert LABEL == named["xmp-tc260:aigc"]
    assert {QUARTER, None} >= {found.get("IFD0:Orientation")}
    assert SECRET.decode() not in done.stdout


def test_a_label_in_a_text_of_a_png(tmp_path: Path) -> None:
    """A label in a text chunk is read: some producers write it there."""
    path = tmp_path / "picture.png"
    source = ("-f", "lavfi", "-i", "testsrc2=s=64x48:d=1", "-frames:v", "1", "-update", "1")
    ffmpeg(*source, "-f", "image2", str(path))
    data, body = path.read_bytes(), b"tEXtAIGC\0" + LABEL.encode()
    chunk = (len(body) - 4).to_bytes(4) + body + zlib.crc32(body).to_bytes(4)
    path.write_bytes(data[:33] + chunk + data[33:])
    assert {"AIGC": LABEL} == read_tags(path)
    tag(path, tags().xmp({}))
    assert {} == read_tags(path)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_alone(orientation: int, order: str) -> None:
    """Only the orientation of EXIF is kept, and nothing of an upright image."""
    block = orientation_block(exif(orientation, order))
    assert (orientation == 1) == (block == b"")
    assert block == orientation_block(block)
    assert SECRET not in block
    assert not block or orientation in struct.unpack_from("<HHHIH", block, 8)


@given(st.binary(max_size=60), st.sampled_from([b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"]))
def test_any_exif(data: bytes, head: bytes) -> None:
    """Any bytes give one small block or none."""
    assert len(orientation_block(head + data)) in {0, 26}


_RDF = (
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description xmlns:a="http://www.tc260.org.cn/ns/AIGC/1.0/"{}</rdf:Description></rdf:RDF>'
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (_RDF.format('><a:AIGC>{"Label":"1"}</a:AIGC>'), '{"Label":"1"}'),
        (_RDF.format(' a:AIGC=\'{"Label":"1"}\'>'), '{"Label":"1"}'),
        (_RDF.format("><a:AIGC><a:Label>1</a:Label></a:AIGC>"), '{"Label": "1"}'),
        (_RDF.format("><a:AIGC><rdf:Alt><rdf:li>1</rdf:li></rdf:Alt></a:AIGC>"), "1"),
        (_RDF.format("><a:AIGC/>"), ""),
        (_RDF.format(">"), ""),
        (_RDF.format("><a:AIGC>1</a:AIGC>")[:-1], ""),
        ('<!DOCTYPE a [<!ENTITY b "c">]>' + _RDF.format("><a:AIGC>&b;</a:AIGC>"), ""),
        ("\ufeff" + _RDF.format("><a:AIGC>1</a:AIGC>") + "\n \0", "1"),
        (_RDF.format("><a:AIGC>1</a:AIGC>" + " " * (1 << 20)), ""),
        ("<a>" * 80_000, ""),
        ("", ""),
    ],
)
def test_properties_of_other_writers(text: str, found: str) -> None:
    """A property is found in every notation; invalid packets count as empty."""
    assert found == text_of(text.encode(), "TC260:AIGC")


@given(st.text())
def test_our_packets_are_read_back(text: str) -> None:
    """A printable text is read back without spaces at its ends."""
    printable = "".join(filter(str.isprintable, text))
    assert printable.strip() == text_of(packet([("TC260:AIGC", printable)]), "TC260:AIGC")


@given(st.binary())
def test_any_packet(data: bytes) -> None:
    """Any bytes count as a packet without properties."""
    assert "" == text_of(data, "TC260:AIGC")


def test_an_unreferenced_packet_is_replaced(tmp_path: Path) -> None:
    """A packet without a reference to the image is replaced as well."""
    source = ("-f", "lavfi", "-i", "testsrc2=s=64x48:d=1", "-frames:v", "1")
    ffmpeg(*source, *FORMS["avif"], str(tmp_path / "still.avif"))
    loose = avif.tagged((tmp_path / "still.avif").read_bytes(), XMP).replace(b"iref", b"free")
    assert XMP == avif.xmp_of(loose)
    assert SECRET not in avif.tagged(loose, packet([]))


@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
@pytest.mark.parametrize("behind", [bytes(3), b"\xff\xd8\xff\xfe\0\x0f" + SECRET + b"\xff\xd9"])
def test_bytes_after_an_image_are_removed(ending: str, behind: bytes, tmp_path: Path) -> None:
    """Padding, or another image with metadata of its own, is removed."""
    path, whole = tmp_path / f"picture.{ending}", tmp_path / f"whole.{ending}"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:d=1", "-frames:v", "1", *IMAGE, str(whole))
    path.write_bytes(whole.read_bytes() + behind)
    assert (64, 48) == size_of(path)
    for picture in (path, whole):
        tag(picture, tags().xmp(read_tags(picture)))
    assert whole.read_bytes() == path.read_bytes()


def test_a_comment_after_a_scan(tmp_path: Path) -> None:
    """Segments after a scan of a JPEG are removed."""
    path = tmp_path / "picture.jpg"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:d=1", "-frames:v", "1", *IMAGE, str(path))
    before, data = pixels(path), path.read_bytes()
    comment = b"\xff\xfe" + (len(SECRET) + 2).to_bytes(2) + SECRET
    path.write_bytes(data[:-2] + comment + data[-2:])
    tag(path, tags().xmp({}))
    assert (before, False) == (pixels(path), SECRET in path.read_bytes())
