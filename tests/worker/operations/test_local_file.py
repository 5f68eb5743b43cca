"""Which local files and data URIs an input accepts."""

from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.factories.catalogue import CHECKED, kling
from tests.factories.clips import clip, ffmpeg
from tests.factories.input_files import MP3, MP4, PNG, named, png
from worker.catalogue.catalogue import Catalogue
from worker.catalogue.endpoint import Endpoint
from worker.catalogue.inputs import Input, InputType
from worker.formats.media_types import BY_EXTENSION, described, guess_type, type_of_name
from worker.operations.local_file import UnusableFile, checked_name

GIF, WEBM = b"GIF89a" + b"\x00" * 64, b"\x1a\x45\xdf\xa3" + b"\x00" * 64
MOV, OGG = b"\x00\x00\x00\x14ftypqt  " + b"\x00" * 64, b"OggS" + b"\x00" * 64
LARGE_PNG = png(width=300, height=300)
JPEG = b"\xff\xd8\xff\xe0" + b"\x00" * 64


def of(model: Endpoint, name: str) -> Input:
    """Return the input with this name."""
    return next(item for item in model.inputs if item.name == name)


@pytest.mark.parametrize(
    ("path", "name", "accepted", "rejected", "words"),
    [
        (
            "lipsync/audio-to-video",
            "video_url",
            [MP4, MOV],
            WEBM,
            "a video (mp4, mov); it is video/webm",
        ),
        ("o1/video-to-video/edit", "video_url", [MP4, MOV], WEBM, "a video (mp4, mov)"),
        ("video-to-audio", "video_url", [MP4, MOV], WEBM, "a video (mp4, mov)"),
        (
            "v3/turbo/pro/image-to-video",
            "image_url",
            [JPEG, LARGE_PNG],
            GIF,
            "an image (jpg, png)",
        ),
        (
            "create-voice",
            "voice_url",
            [MP3, MOV],
            OGG,
            "an audio file or a video (mp3, wav, mp4, mov)",
        ),
        ("v2.1/pro/image-to-video", "image_url", [GIF, PNG], MP4, "an image (jpg, png, gif"),
    ],
)
def test_only_documented_formats_are_accepted(
    path: str, name: str, accepted: list[bytes], rejected: bytes, words: str
) -> None:
    """Other formats of the same family are rejected before fal would bill for the error."""
    item = of(kling(path), name)
    for data in accepted:
        assert checked_name(item, BytesIO(data)).startswith(named(data).partition(".")[0])
    with pytest.raises(UnusableFile) as caught:
        checked_name(item, BytesIO(rejected))
    assert f"must be {words}" in str(caught.value)


def test_the_table_shows_the_formats() -> None:
    """The allowed values of an input name the formats that are checked."""
    item = of(kling("lipsync/audio-to-video"), "video_url")
    assert "an http(s) URL, a local file (mp4, mov) or a data URI" == item.allowed


def test_formats_in_a_description_are_checked() -> None:
    """If a description in the catalogue names an extension, `formats` does too."""
    unchecked = [
        f"{model.endpoint} {item.name}"
        for model in CHECKED
        for item in model.inputs
        if any(f" {extension} " in item.description.replace(".", " ") for extension in BY_EXTENSION)
        and not item.formats
    ]
    assert [] == unchecked


@pytest.mark.parametrize(
    ("head", "description"),
    [
        (PNG, "image/png"),
        (b"BM\x36\x10\x0e\x00\x00\x00\x00\x00", "a BMP image"),
        (b"II*\x00\x08\x00", "a TIFF image"),
        (b"\x00\x00\x00\x18ftypheic", "a HEIC image"),
        (b"RIFF\x00\x00\x00\x00AVI LIST", "an AVI video"),
        (b"%PDF-1.7", "a PDF"),
        (b"PK\x03\x04", "a ZIP archive"),
        ("Bäume im Wind, müde\n".encode()[:18], "text"),
        ("BMW caf\xe9 noir".encode("latin-1"), "not a known image, video or audio format"),
        (b"\x00\x01\x02", "not a known image, video or audio format"),
    ],
)
def test_a_rejected_file_is_described(head: bytes, description: str) -> None:
    """The description is the format's name, or text for readable bytes."""
    assert description == described(head)


@pytest.mark.parametrize(
    ("head", "extension", "name"),
    [
        (PNG, "png", "image/png"),
        (b"PK\x03\x04", "zip", "application/zip"),
        (b"%PDF-1.7", "pdf", "application/pdf"),
        (b"II*\x00\x08\x00", "tiff", "image/tiff"),
        (b'{"a": 1}', "txt", "text/plain"),
        (b"\x00\x01\x02", "bin", "application/octet-stream"),
    ],
)
def test_any_file_has_a_type(head: bytes, extension: str, name: str) -> None:
    """Extension and content type follow from the first bytes, and from each other."""
    media_type = guess_type(head)
    assert (extension, name) == (media_type.extension, media_type.name)
    assert media_type == type_of_name(f"{'0' * 64}.{extension}")
    assert None is type_of_name("0.none")


@pytest.mark.parametrize("name", ["file_url", "images_data_url", "lora_path", "zip_url"])
def test_an_input_without_a_medium_accepts_any_file(name: str) -> None:
    """An archive of pictures is accepted, unless the input lists formats."""
    zipped = b"PK\x03\x04" + b"\x00" * 64
    item = Input(name=name, kind=InputType.URL)
    assert named(zipped, "zip") == checked_name(item, BytesIO(zipped))
    with pytest.raises(UnusableFile, match="it is a ZIP archive"):
        checked_name(Input(name=name, kind=InputType.URL, formats=("png",)), BytesIO(zipped))
    with pytest.raises(UnusableFile, match="is empty"):
        checked_name(item, BytesIO(b""))


SIDE_AND_RATIO = "sides of at least 300 pixels and an aspect ratio of at most 2.5:1"


@pytest.mark.parametrize(
    ("path", "name"),
    [("v3/turbo/pro/image-to-video", "image_url"), ("v4/image-to-video", "start_image_url")],
)
@given(width=st.integers(1, 4000), height=st.integers(1, 4000))
@example(width=300, height=750)
@example(width=299, height=750)
@example(width=300, height=751)
def test_pictures_are_checked_by_documented_dimensions(
    path: str, name: str, width: int, height: int
) -> None:
    """Sides and aspect ratio that fal documents hold before the upload; any other size passes."""
    owner = "" if path.startswith("v4") else "fal-ai/kling-video/"
    item = of(Catalogue.load().find(f"{owner or 'kling/'}{path}"), name)
    data = png(width=width, height=height)
    fits = min(width, height) >= 300 and max(width, height) <= 2.5 * min(width, height)
    if fits:
        assert checked_name(item, BytesIO(data)) == named(data)
        return
    with pytest.raises(UnusableFile) as caught:
        checked_name(item, BytesIO(data))
    assert f"must have {SIDE_AND_RATIO}; it has {width}x{height} pixels" == str(caught.value)


def test_videos_are_checked_by_documented_dimensions(tmp_path: Path) -> None:
    """A video's sides are read from its headers."""
    item, path = of(kling("lipsync/audio-to-video"), "video_url"), tmp_path / "a.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=1280x720:r=10:d=0.2", str(path))
    assert checked_name(item, BytesIO(path.read_bytes()))
    with pytest.raises(UnusableFile, match=r"720 to 1,920 pixels; it has 320x180 pixels"):
        checked_name(item, BytesIO(clip("high").read_bytes()))


def test_undocumented_dimensions_are_not_checked() -> None:
    """One pixel passes where fal states nothing, and so does a file whose size is unknown."""
    assert checked_name(of(kling("v2.1/pro/image-to-video"), "image_url"), BytesIO(PNG))
    assert checked_name(of(kling("v3/turbo/pro/image-to-video"), "image_url"), BytesIO(JPEG))


def test_dimensions_in_a_description_are_checked() -> None:
    """If a description in the catalogue names pixels, the input has bounds of its sides."""
    named_ = [
        (model.endpoint, item.name)
        for model in Catalogue.load().search()
        for item in model.inputs
        if item.kind is InputType.URL and " px" in item.description and not item.dimensions
    ]
    assert [] == named_
