"""A producer's AIGC label is preserved from every place where a file carries it."""

import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.factories.audio import sound
from tests.factories.clips import clip, ffmpeg, tags
from tests.factories.mp4_boxes import box
from worker.formats import audio, images
from worker.formats.aigc_label import (
    AIGC,
    MAX_LABEL,
    InvalidLabel,
    checked_label,
    label_in_comment,
    label_in_xmp,
)
from worker.formats.errors import UnsupportedMedia
from worker.formats.marks import Mark, Marks
from worker.formats.mp4 import read_tags
from worker.formats.mp4.rewrite import XMP as XMP_BOX
from worker.formats.xmp import packet
from worker.transcode.ffmpeg import Ffmpeg
from worker.transcode.transcoder import transcode

THEIRS = {"Label": "1", "ContentProducer": "kling", "ProduceID": "k-1"}
LABEL = json.dumps(THEIRS)
CN = replace(tags(), marks=Marks(places=frozenset(Mark), provider="Acme"))
LONG = json.dumps(THEIRS | {"ReservedCode1": "x" * 5000})
TOO_LONG = json.dumps(THEIRS | {"ReservedCode1": "x" * MAX_LABEL})


def xmp(label: str = LABEL) -> bytes:
    return packet([("TC260:AIGC", label)])


def comment(label: str, order: str = "<") -> bytes:
    """Return a TIFF block with this EXIF user comment."""
    text = b"ASCII\0\0\0" + label.encode()
    head = b"II*\0" if order == "<" else b"MM\0*"
    first = struct.pack(f"{order}HHHIII", 1, 0x8769, 4, 1, 26, 0)
    inner = struct.pack(f"{order}HHHIII", 1, 0x9286, 7, len(text), 44, 0)
    return head + struct.pack(f"{order}I", 8) + first + inner + text


def in_jpeg(data: bytes, tiff: bytes) -> bytes:
    body = b"Exif\0\0" + tiff
    return data[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2) + body + data[2:]


def in_png(data: bytes, tiff: bytes) -> bytes:
    chunk = b"eXIf" + tiff
    return data[:33] + len(tiff).to_bytes(4) + chunk + zlib.crc32(chunk).to_bytes(4) + data[33:]


def in_webp(data: bytes, tiff: bytes) -> bytes:
    chunk = b"EXIF" + len(tiff).to_bytes(4, "little") + tiff + bytes(len(tiff) % 2)
    return b"RIFF" + (len(data) - 8 + len(chunk)).to_bytes(4, "little") + data[8:] + chunk


EXIF: dict[str, Callable[[bytes, bytes], bytes]] = {"jpg": in_jpeg, "png": in_png, "webp": in_webp}


def picture(into: Path, ending: str, tiff: bytes) -> Path:
    path = into / f"picture.{ending}"
    source = ("-f", "lavfi", "-i", "testsrc2=s=64x48:d=1", "-frames:v", "1", "-update", "1")
    ffmpeg(*source, "-f", "image2", str(path))
    path.write_bytes(EXIF[ending](path.read_bytes(), tiff))
    return path


def in_wav(packet: bytes) -> bytes:
    chunk = b"_PMX" + len(packet).to_bytes(4, "little") + packet + bytes(len(packet) % 2)
    return sound("plain.wav").read_bytes() + chunk


def in_mp3(packet: bytes) -> bytes:
    body = b"XMP\0" + packet
    frame = b"PRIV" + len(body).to_bytes(4) + bytes(2) + body  # version 2.3: no synchsafe size
    size = bytes(len(frame) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\3\0\0" + size + frame + sound("plain.mp3").read_bytes()


def in_mp4(data: bytes, packet: bytes) -> bytes:
    return data + box(b"uuid", XMP_BOX, packet)


def in_m4a(packet: bytes) -> bytes:
    return in_mp4(sound("plain.m4a").read_bytes(), packet)


SOUNDS: dict[str, Callable[[bytes], bytes]] = {"wav": in_wav, "mp3": in_mp3, "m4a": in_m4a}


def theirs_of(label: str) -> dict[str, str]:
    fields = json.loads(label)
    return {name: fields[name] for name in THEIRS}


def tagged_label(into: Path, ending: str, label: str) -> str:
    """Tag an audio file with this label in XMP; return the label that it has then."""
    source, target = into / f"source.{ending}", into / f"tagged.{ending}"
    source.write_bytes(SOUNDS[ending](xmp(label)))
    audio.tag(source, target, CN)
    data = target.read_bytes()
    begin = data.index(b"<TC260:AIGC>") + len(b"<TC260:AIGC>")
    return data[begin : data.index(b"</TC260:AIGC>")].decode()


@pytest.mark.parametrize("ending", SOUNDS)
@pytest.mark.parametrize("label", [LABEL, LONG])
def test_in_the_xmp_of_audio(ending: str, label: str, tmp_path: Path) -> None:
    """A label in XMP is kept, and its producer is not replaced."""
    found = tagged_label(tmp_path, ending, label)
    assert THEIRS == theirs_of(found)
    assert json.loads(label) == {name: json.loads(found)[name] for name in json.loads(label)}


@pytest.mark.parametrize("marks", [CN, tags()])
def test_in_the_xmp_of_a_video(marks: object, tmp_path: Path) -> None:
    """A video's label is in the tags and in the XMP of its outputs, with and without the mark."""
    source = tmp_path / "source.mp4"
    source.write_bytes(in_mp4(clip("high").read_bytes(), xmp()))
    made = transcode(source, tmp_path / "into", marks, ffmpeg=Ffmpeg.find(None))  # type: ignore[arg-type]
    assert THEIRS == theirs_of(read_tags(made.video)[AIGC])
    assert THEIRS == theirs_of(images.read_tags(made.poster)[AIGC])


def test_in_the_xmp_of_quicktime(tmp_path: Path) -> None:
    """A label in the user data of the movie header is read."""
    data = clip("high").read_bytes()
    at = data.index(b"moov") - 4
    size = int.from_bytes(data[at : at + 4])
    extra = box(b"udta", box(b"XMP_", xmp()))
    moov = (size + len(extra)).to_bytes(4) + data[at + 4 : at + size] + extra
    path = tmp_path / "quicktime.mp4"
    path.write_bytes(data[:at] + moov + data[at + size :])
    assert LABEL == read_tags(path)[AIGC]


@pytest.mark.parametrize("ending", EXIF)
@pytest.mark.parametrize(
    "text", [LABEL, json.dumps({"AIGC": THEIRS}), json.dumps({"AIGC": LABEL}), f"AIGC:{LABEL}"]
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_in_exif(ending: str, text: str, order: str, tmp_path: Path) -> None:
    """A label in an EXIF user comment is kept; the comment is removed."""
    path = picture(tmp_path, ending, comment(text, order))
    assert THEIRS == json.loads(images.read_tags(path)[AIGC])
    images.tag(path, CN.xmp(images.read_tags(path)))
    assert THEIRS == theirs_of(images.read_tags(path)[AIGC])
    assert b"ASCII\0\0\0" not in path.read_bytes()


@pytest.mark.parametrize("text", ["a fox, made with AIGC tools", "", "{}"])
def test_other_comments_are_ignored(text: str, tmp_path: Path) -> None:
    """A comment without a label is not treated as one."""
    assert {} == images.read_tags(picture(tmp_path, "jpg", comment(text)))


@pytest.mark.parametrize("ending", SOUNDS)
def test_audio_with_a_long_label_is_refused(ending: str, tmp_path: Path) -> None:
    """A label is not cut, which would break its JSON: the file stays unchanged."""
    with pytest.raises(audio.NotTaggable, match="AIGC label takes more than"):
        tagged_label(tmp_path, ending, TOO_LONG)


def test_a_video_with_a_long_label_is_refused(tmp_path: Path) -> None:
    """A video with a label that is too long is unsupported, and so published unchanged."""
    source = tmp_path / "source.mp4"
    source.write_bytes(in_mp4(clip("high").read_bytes(), xmp(TOO_LONG)))
    with pytest.raises(UnsupportedMedia, match="AIGC label takes more than"):
        transcode(source, tmp_path / "into", CN, ffmpeg=Ffmpeg.find(None))


def test_an_image_with_a_long_label_is_refused(tmp_path: Path) -> None:
    """An image with a label that is too long is not tagged."""
    with pytest.raises(InvalidLabel, match="AIGC label takes more than"):
        images.read_tags(picture(tmp_path, "jpg", comment(TOO_LONG)))


@pytest.mark.parametrize(
    "broken",
    [
        xmp()[:-40],
        b"<!DOCTYPE a>" + xmp(),
        xmp() + b" " * (1 << 20),
    ],
)
def test_a_broken_packet_is_refused(broken: bytes) -> None:
    """A broken packet may hold a label, and is refused."""
    with pytest.raises(InvalidLabel, match="cannot be read"):
        label_in_xmp(broken)


def test_a_packet_without_a_label() -> None:
    """Text about labels, and an empty property, do not count as a label."""
    assert "" == label_in_xmp(packet([("dc:description", "AIGC, <AIGC>"), ("TC260:AIGC", "")]))


def test_another_namespace() -> None:
    """A label in a different spelling of the namespace is read."""
    assert LABEL == label_in_xmp(xmp().replace(b"ns/AIGC/1.0/", b"ns/AIGC/1.0"))


def test_a_broken_comment_is_refused() -> None:
    """A comment with the fields of a label that is not JSON is refused."""
    with pytest.raises(InvalidLabel, match="cannot be read"):
        label_in_comment(LABEL[:-5])


def test_the_longest_label_fits_a_jpeg() -> None:
    """The longest label leaves room for all other tags."""
    label = checked_label("&" * 2000)
    written = replace(CN, title="&" * 1000, prompt="&" * 4000).xmp({AIGC: label})
    assert len(written) < 0xFFFF - 100
