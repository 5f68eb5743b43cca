"""Size and tags of JPEG, PNG, WebP, GIF and AVIF, without decoding them."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories.clips import ffmpeg, tags
from worker.formats.images import avif, jpeg, png, size_of, tag, webp

FORMATS = {
    "jpg": ("-pix_fmt", "yuvj420p", "-c:v", "mjpeg"),
    "progressive.png": ("-c:v", "png"),
    "palette.png": ("-pix_fmt", "pal8", "-c:v", "png"),
    "sixteen_bits.png": ("-pix_fmt", "rgba64be", "-c:v", "png"),
    "grey.png": ("-pix_fmt", "gray16be", "-c:v", "png"),
    "stated.png": ("-vf", "setparams=color_primaries=bt2020:color_trc=smpte2084", "-c:v", "png"),
    "animated.png": ("-frames:v", "5", "-plays", "0", "-c:v", "apng", "-f", "apng"),
    "animated.gif": ("-frames:v", "5", "-c:v", "gif", "-f", "gif"),
    "lossy.webp": ("-c:v", "libwebp"),
    "lossless.webp": ("-pix_fmt", "bgra", "-c:v", "libwebp", "-lossless", "1"),
    "gif": ("-c:v", "gif"),
    "avif": ("-pix_fmt", "yuv420p", "-c:v", "libsvtav1", "-preset", "10"),
    "alpha.webp": ("-vf", "format=yuva420p,colorchannelmixer=aa=0.5", "-c:v", "libwebp"),
}
PACKET = b"<?xpacket begin?><x:xmpmeta/><?xpacket end='r'?>"


@pytest.fixture(scope="module", params=FORMATS)
def picture(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of 322x182 pixels."""
    path = tmp_path_factory.mktemp("pictures") / f"picture.{request.param}"
    source = ("-f", "lavfi", "-i", "testsrc2=s=322x182:d=1", "-frames:v", "1")
    one = () if "-f" in FORMATS[request.param] else ("-update", "1", "-f", "image2")
    container = ("-f", "avif") if path.suffix == ".avif" else one
    ffmpeg(*source, *FORMATS[request.param], *container, str(path))
    return path


def decoded(path: Path) -> str:
    """Return the hash of the decoded image."""
    return ffmpeg("-xerror", "-i", str(path), "-pix_fmt", "rgba", "-f", "hash", "-")


def copied(picture: Path, into: Path) -> Path:
    path = into / picture.name
    path.write_bytes(picture.read_bytes())
    return path


def test_size(picture: Path) -> None:
    """The size is read from the headers of every format."""
    assert (322, 182) == size_of(picture)


@pytest.mark.parametrize("cut", [1, 100, 0.5])
def test_an_image_cut_short_has_no_size(cut: float, picture: Path, tmp_path: Path) -> None:
    """An image whose end is missing has no size."""
    data = picture.read_bytes()
    missing = int(len(data) * cut) if cut < 1 else int(cut)
    (tmp_path / "cut").write_bytes(data[:-missing])
    assert (0, 0) == size_of(tmp_path / "cut")


def test_tag_changes_no_pixel(picture: Path, tmp_path: Path) -> None:
    """An image that is tagged twice holds the packet once, and its pixels do not change."""
    path = copied(picture, tmp_path)
    for _ in range(2):
        tag(path, PACKET)
    assert 1 == path.read_bytes().count(PACKET)
    assert decoded(picture) == decoded(path)
    assert (322, 182) == size_of(path)


def test_an_older_packet_is_replaced(picture: Path, tmp_path: Path) -> None:
    """An older packet is removed: it may hold the prompt."""
    path = copied(picture, tmp_path)
    tag(path, b"<x:xmpmeta>secret</x:xmpmeta>")
    tag(path, PACKET)
    assert b"secret" not in path.read_bytes()


def test_too_large_for_a_jpeg(tmp_path: Path) -> None:
    """JPEG segments hold 64 kB."""
    with pytest.raises(ValueError, match="too large"):
        jpeg.tagged(jpeg.SOI + jpeg.EOI, bytes(70_000))


def test_other_files_are_refused(tmp_path: Path) -> None:
    """Only complete images are tagged."""
    (tmp_path / "text").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="not a complete JPEG"):
        tag(tmp_path / "text", PACKET)


@given(
    head=st.sampled_from([b"\xff\xd8\xff\xc0", png.SIGNATURE, b"RIFF\x20\0\0\0WEBPVP8 ", b""]),
    body=st.binary(max_size=80),
    tail=st.sampled_from([b"\xff\xd9", b""]),
)
def test_any_bytes(head: bytes, body: bytes, tail: bytes) -> None:
    """Any bytes have a size or (0, 0), and those with a size can be tagged."""
    data = head + body + tail
    for form in (jpeg, png, webp):
        width, height = form.size_of(data)
        assert width >= 0 <= height
        if width and height:
            assert PACKET in form.tagged(data, PACKET)


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An AVIF of 322x182 pixels."""
    path = tmp_path_factory.mktemp("still") / "still.avif"
    source = ("-f", "lavfi", "-i", "testsrc2=s=322x182:d=1", "-frames:v", "1")
    ffmpeg(*source, *FORMATS["avif"], "-f", "avif", str(path))
    return path.read_bytes()


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
def test_others_read_the_xmp(picture: Path, tmp_path: Path) -> None:
    """exiftool finds the packet, and no fault with the image."""
    path = copied(picture, tmp_path)
    tag(path, tags().xmp({}))
    command = ["exiftool", "-json", "-XMP:all", "-ImageSize", "-Warning", "-Error", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    (shown,) = json.loads(done.stdout)
    assert ("A fox in the snow", "322x182") == (shown["Title"], shown["ImageSize"])
    assert not {"Warning", "Error"} & set(shown)


@given(changes=st.lists(st.tuples(st.integers(0, 330), st.integers(0, 255)), max_size=4))
def test_any_header(changes: list[tuple[int, int]], still: bytes) -> None:
    """An AVIF with any header is refused, or keeps its own bytes."""
    data = bytearray(avif.tagged(still, PACKET))
    for at, value in changes:
        data[at] = value
    try:
        result = avif.tagged(bytes(data), PACKET)
    except ValueError:
        return
    assert PACKET in result
    assert still[-1000:] in result
