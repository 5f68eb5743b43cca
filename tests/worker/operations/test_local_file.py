"""What a local file or a data URI has to be for the input that it is given to."""

import pytest

from tests.factories.catalogue import CHECKED, kling
from tests.factories.input_files import MP3, MP4, PNG, named
from worker.catalogue.endpoint import Endpoint
from worker.catalogue.inputs import Input, InputType
from worker.formats.media_types import BY_EXTENSION, described, guessed, of_name
from worker.operations.local_file import UnusableFile, checked_name

GIF, WEBM = b"GIF89a" + b"\x00" * 64, b"\x1a\x45\xdf\xa3" + b"\x00" * 64
MOV, OGG = b"\x00\x00\x00\x14ftypqt  " + b"\x00" * 64, b"OggS" + b"\x00" * 64
JPEG = b"\xff\xd8\xff\xe0" + b"\x00" * 64


def of(model: Endpoint, name: str) -> Input:
    """That input."""
    return next(item for item in model.inputs if item.name == name)


@pytest.mark.parametrize(
    ("path", "name", "taken", "refused", "told"),
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
        ("v3/turbo/pro/image-to-video", "image_url", [JPEG, PNG], GIF, "an image (jpg, png)"),
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
def test_the_documented_formats_hold(
    path: str, name: str, taken: list[bytes], refused: bytes, told: str
) -> None:
    """Another format of the same family is refused before fal is paid to refuse it."""
    item = of(kling(path), name)
    for data in taken:
        assert checked_name(item, data).startswith(named(data).partition(".")[0])
    with pytest.raises(UnusableFile) as caught:
        checked_name(item, refused)
    assert f"must be {told}" in str(caught.value)


def test_the_table_tells_the_formats() -> None:
    """Who looks an input up reads what is checked of a file."""
    item = of(kling("lipsync/audio-to-video"), "video_url")
    assert "an http(s) URL, a local file (mp4, mov) or a data URI" == item.allowed


def test_a_description_never_names_formats_that_are_not_checked() -> None:
    """Where the catalogue's words name an ending, its data does."""
    loose = [
        f"{model.endpoint} {item.name}"
        for model in CHECKED
        for item in model.inputs
        if any(f" {ending} " in item.description.replace(".", " ") for ending in BY_EXTENSION)
        and not item.formats
    ]
    assert [] == loose


@pytest.mark.parametrize(
    ("head", "told"),
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
def test_what_a_file_is_instead_is_said(head: bytes, told: str) -> None:
    """Its name where it has one, text for what people can read."""
    assert told == described(head)


@pytest.mark.parametrize(
    ("head", "ending", "name"),
    [
        (PNG, "png", "image/png"),
        (b"PK\x03\x04", "zip", "application/zip"),
        (b"%PDF-1.7", "pdf", "application/pdf"),
        (b"II*\x00\x08\x00", "tiff", "image/tiff"),
        (b'{"a": 1}', "txt", "text/plain"),
        (b"\x00\x01\x02", "bin", "application/octet-stream"),
    ],
)
def test_any_file_has_a_type(head: bytes, ending: str, name: str) -> None:
    """Its ending and its content type follow from its first bytes, and from each other."""
    found = guessed(head)
    assert (ending, name) == (found.extension, found.name)
    assert found == of_name(f"{'0' * 64}.{ending}")
    assert None is of_name("0.none")


@pytest.mark.parametrize("name", ["file_url", "images_data_url", "lora_path", "zip_url"])
def test_an_input_of_no_stated_medium_takes_any_file(name: str) -> None:
    """An archive of pictures is none; nothing says what it has to be."""
    zipped = b"PK\x03\x04" + b"\x00" * 64
    item = Input(name=name, kind=InputType.URL)
    assert named(zipped, "zip") == checked_name(item, zipped)
    with pytest.raises(UnusableFile, match="it is a ZIP archive"):
        checked_name(Input(name=name, kind=InputType.URL, formats=("png",)), zipped)
    with pytest.raises(UnusableFile, match="is empty"):
        checked_name(item, b"")
