"""Files of many small parts take a bounded amount of memory."""

import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.factories.audio import sound
from tests.factories.mp4_boxes import box, numbers
from worker.formats.audio.rewrite import MAX_TAGS
from worker.formats.images import MAX_PICTURE
from worker.formats.images.byte_ranges import MAX_PARTS

MEGABYTE = 1 << 20
GROWTH = 150 * MEGABYTE  # a worker starts with 80 MB, and must stay below 300
ROOM = MAX_PICTURE - 1000

# Tags the file as a media step does; prints the growth of the process, and the error.
CHILD = """
import json, sys
from datetime import UTC, datetime
from pathlib import Path
from worker.formats import audio, images
from worker.formats.tags import Tags

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))

tags = Tags(title="T", comment="C", job_id="j", endpoint="e", request_id="r",
            created=datetime(2026, 1, 2, tzinfo=UTC))
kind, source, target = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[2] + ".tagged")
Path("/proc/self/clear_refs").write_text("5")  # resets the peak (proc(5))
begin, error = peak(), ""
try:
    if kind == "picture":
        images.size_of(source), images.has_credentials(source)
        images.tag(source, tags.xmp(images.read_tags(source)))
    else:
        audio.has_credentials(source)
        audio.tag(source, target, tags)
except (ValueError, audio.NotTaggable) as reason:
    error = str(reason)
print(json.dumps([peak() - begin, error]))
"""


def after_tagging(kind: str, path: Path) -> tuple[int, str]:
    """Tag the file in a process; return its growth in bytes, and the error or ""."""
    command = [sys.executable, "-c", CHILD, kind, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    grown, error = json.loads(done.stdout)
    return grown, error


def chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4)


def png(part: bytes) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + part * (ROOM // len(part)) + chunk(b"IEND", b"")


def webp() -> bytes:
    body = b"WEBPVP8L\6\0\0\0\x2f\0\0\0\0\0" + (b"abcd" + bytes(4)) * (ROOM // 8)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def gif(part: bytes, end: bytes = b";") -> bytes:
    head = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0)
    return head + part * (ROOM // len(part)) + end


def jpeg(part: bytes) -> bytes:
    frame = b"\xff\xc0\0\x0b\x08\0\1\0\1\1\1\x11\0"
    return b"\xff\xd8" + part * (ROOM // len(part)) + frame + b"\xff\xda\0\2\xff\xd9"


def avif(kind: bytes) -> bytes:
    part = box(kind)
    meta = box(b"meta", bytes(4), part * (ROOM // len(part)))
    return box(b"ftyp", b"avif", bytes(4)) + meta


def empty_avif(**boxes: bytes) -> bytes:
    """Return an AVIF without items, whose boxes given here claim some."""
    empty = {
        "hdlr": box(b"hdlr", bytes(25)),
        "pitm": box(b"pitm", bytes(6)),
        "iloc": box(b"iloc", bytes(4), b"\x44\0\0\0"),
        "iinf": box(b"iinf", bytes(6)),
        "iprp": box(b"iprp", box(b"ipco"), box(b"ipma", bytes(8))),
    }
    movie = boxes.pop("moov", b"")
    meta = box(b"meta", bytes(4), *(empty | boxes).values())
    return box(b"ftyp", b"avif", bytes(4)) + meta + movie


def rows(kind: bytes, *content: bytes) -> bytes:
    return box(kind, *content, bytes(ROOM - 1000))


PICTURES: dict[str, Callable[[], bytes]] = {
    "png": lambda: png(chunk(b"IDAT", b"")),
    "png texts": lambda: png(chunk(b"tEXt", b"a\0b")),
    "webp": webp,
    "gif": lambda: gif(b"\x21\xf9\0"),
    "gif inside": lambda: gif(b"\1a", b"\0;").replace(b"\1a", b"\x21\xf9\1a", 1),
    "jpeg": lambda: jpeg(b"\xff\xdb\0\2"),
    "jpeg scans": lambda: jpeg(b"\xff\xda\0\2"),
    "avif": lambda: avif(b"free"),
    "avif references": lambda: empty_avif(iref=rows(b"iref", bytes(4))),
    "avif one reference": lambda: empty_avif(iref=box(b"iref", bytes(4), rows(b"cdsc"))),
    "avif places": lambda: empty_avif(iloc=rows(b"iloc", bytes(4), b"\x10\0\xff\xff")),
    "avif properties": lambda: empty_avif(
        iprp=box(b"iprp", box(b"ipco"), rows(b"ipma", bytes(4), b"\0\xff\xff\xff"))
    ),
    "avif movie": lambda: empty_avif(
        iprp=box(
            b"iprp",
            box(b"ipco", box(b"ispe", bytes(4), numbers(1, 1))),
            box(b"ipma", bytes(4), numbers(1), b"\0\0\1\1"),
        ),
        moov=rows(b"moov"),
    ),
    "avif top": lambda: box(b"ftyp", b"avif", bytes(4)) + box(b"free") * (ROOM // 8),
}


@pytest.mark.parametrize("name", PICTURES)
def test_images(name: str, tmp_path: Path) -> None:
    """An image of millions of parts is refused with the reason."""
    path = tmp_path / "picture"
    path.write_bytes(PICTURES[name]())
    grown, error = after_tagging("picture", path)
    assert grown < GROWTH
    assert "more than" in error


def test_as_many_parts_as_are_allowed(tmp_path: Path) -> None:
    """Removing every second of MAX_PARTS parts, which leaves the most pieces, is possible."""
    each, pair = ROOM // MAX_PARTS * 2 + 3, chunk(b"tEXt", b"a")
    pair += chunk(b"IDAT", bytes(each - len(pair) - 12))
    path = tmp_path / "picture"
    path.write_bytes(png(pair))
    grown, error = after_tagging("picture", path)
    assert (True, "") == (grown < GROWTH, error)


@pytest.mark.parametrize(
    "text", [b"AIGC\0" + b"x" * ROOM, b"XML:com.adobe.xmp" + bytes(5) + bytes(ROOM)]
)
def test_a_huge_text(text: bytes, tmp_path: Path) -> None:
    """A huge text in an image is not read completely."""
    path = tmp_path / "picture"
    path.write_bytes(png(chunk(b"tEXt" if text[:1] == b"A" else b"iTXt", text[:ROOM])))
    grown, _ = after_tagging("picture", path)
    assert grown < GROWTH


def synchsafe(size: int) -> bytes:
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))


def mp3(*frames: bytes) -> bytes:
    body = b"".join(frames)
    return b"ID3\4\0\0" + synchsafe(len(body)) + body + sound("plain.mp3").read_bytes()


def frame(kind: bytes, body: bytes) -> bytes:
    return kind + synchsafe(len(body)) + bytes(2) + body


def comments(*texts: bytes) -> bytes:
    body = b"".join(len(text).to_bytes(4, "little") + text for text in texts)
    return bytes(4) + len(texts).to_bytes(4, "little") + body


def flac(*texts: bytes) -> bytes:
    data, body = sound("plain.flac").read_bytes(), comments(*texts)
    return data[:4] + data[4:42] + b"\4" + len(body).to_bytes(3) + body + data[42:]


def wav(*chunks: tuple[bytes, bytes]) -> bytes:
    made = (kind + len(body).to_bytes(4, "little") + body for kind, body in chunks)
    return sound("plain.wav").read_bytes() + b"".join(made)


def m4a(part: bytes, size: int) -> bytes:
    items = part * (size // len(part))
    user_data = box(b"udta", box(b"meta", bytes(4), box(b"hdlr", bytes(25)), box(b"ilst", items)))
    data = sound("plain.m4a").read_bytes()
    at = data.index(b"moov") - 4
    moov_size = int.from_bytes(data[at : at + 4])
    moov = (moov_size + len(user_data)).to_bytes(4) + data[at + 4 : at + moov_size] + user_data
    return data[:at] + moov + data[at + moov_size :]


def _within(data: bytes, path: list[bytes], table: bytes) -> bytes:
    """Return the boxes `data` with the content of the last box on the path replaced."""
    result, at = b"", 0
    while at < len(data):
        size, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        body = data[at + 8 : at + size]
        if kind == path[0]:
            body = _within(body, path[1:], table) if path[1:] else table
        result, at = result + box(kind, body), at + size
    return result


def m4a_chunks() -> bytes:
    """Return an M4A whose header is as large as is read, mostly chunk offsets."""
    count = FULL // 4 - 10_000
    table = bytes(4) + count.to_bytes(4) + (40).to_bytes(4) * count
    path = [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stco"]
    return (
        box(b"ftyp", b"M4A ", bytes(20))
        + box(b"mdat", bytes(64))
        + _within(sound("tagged.m4a").read_bytes()[28:], path, table)
    )


MANY, WIDE = 9_990, MAX_TAGS // 10_000 - 30
FULL = MAX_TAGS - 1000
SOUNDS: dict[str, Callable[[], bytes]] = {
    "mp3 many": lambda: mp3(
        *[frame(b"TXXX", b"\1" + bytes([n % 250 + 1]) * (WIDE & ~1)) for n in range(MANY)]
    ),
    "mp3 one": lambda: mp3(frame(b"TXXX", b"\1\xff\xfea\0\0\0" + b"\x3d\xd8\0\xde" * (FULL // 4))),
    "mp3 comment": lambda: mp3(frame(b"COMM", b"\1eng" + b"\x3d\xd8\0\xde" * (FULL // 4))),
    "mp3 label": lambda: mp3(frame(b"TXXX", b"\0AIGC\0" + b"\xff" * FULL)),
    "mp3 tiny": lambda: mp3(frame(b"TXXX", b"\0") * (FULL // 11)),
    "flac many": lambda: flac(*[b"a%d=" % n + b"x" * WIDE for n in range(MANY)]),
    "flac one": lambda: flac(b"AIGC=" + b"\xff" * (FULL - 1000)),
    "flac tiny": lambda: flac(*[b""] * (FULL // 4 - 100)),
    "wav many": lambda: wav((b"LIST", b"INFO" + (b"abcd" + bytes(4)) * (FULL // 8))),
    "wav one": lambda: wav(
        (b"LIST", b"INFOAIGC" + (FULL - 100).to_bytes(4, "little") + b"\xff" * (FULL - 100))
    ),
    "wav elements": lambda: wav((b"_PMX", b"<a>" + b"<b/>" * (250_000) + b"</a>")),
    "wav label": lambda: wav((b"_PMX", b"<a:AIGC>" + b"<b/>" * (250_000) + b"</a>")),
    "wav attributes": lambda: wav(
        (b"_PMX", b"<a provenance='' " + b"".join(b"x%d='' " % n for n in range(90_000)) + b"/>")
    ),
    "wav xmp": lambda: wav((b"_PMX", b"<a>" * (FULL // 3))),
    "m4a": lambda: m4a(box(b"desc", box(b"data", struct.pack(">II", 1, 0), b"x" * 900)), FULL),
    "m4a chunks": m4a_chunks,
    "m4a tiny": lambda: m4a(box(b"free"), FULL),
}


@pytest.mark.parametrize("name", SOUNDS)
def test_audio(name: str, tmp_path: Path) -> None:
    """Audio with as many tags as are read, in few parts or many, takes bounded memory."""
    path = tmp_path / "sound"
    path.write_bytes(SOUNDS[name]())
    grown, _ = after_tagging("sound", path)
    assert grown < GROWTH
