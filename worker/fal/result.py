"""The files in a result of any fal model, found by walking it.

https://fal.ai/docs : a File has `url`, and may have `content_type` and `file_name`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from worker.formats.media_types import BY_EXTENSION, MediaType
from worker.types import Json

OTHER = MediaType("application/octet-stream", "bin")
_MAX_DEPTH = 12
_BY_NAME = {media.name: media for media in BY_EXTENSION.values()} | {
    "image/jpg": BY_EXTENSION["jpg"],
    "audio/mp3": BY_EXTENSION["mp3"],
    "audio/x-wav": BY_EXTENSION["wav"],
}
# The type of a File that has neither a type nor a file extension, by its key in the result.
_BY_KEY = {
    "video": BY_EXTENSION["mp4"],
    "image": BY_EXTENSION["png"],
    "audio": BY_EXTENSION["mp3"],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultFile:
    """One file of a result: its path in the result, its URL and its declared type."""

    path: str
    address: str
    media: MediaType


def files_of(payload: Json) -> tuple[ResultFile, ...]:
    """Return every File of the result in order; a repeated URL counts once."""
    files: dict[str, ResultFile] = {}
    for file in _walk(payload, "", 0):
        files.setdefault(file.address, file)
    return tuple(files.values())


def _walk(value: Json, path: str, depth: int) -> Iterator[ResultFile]:
    if depth > _MAX_DEPTH:
        return
    match value:
        case dict() if isinstance(address := value.get("url"), str) and address:
            yield ResultFile(path=path, address=address, media=_media(value, address, path))
        case dict():
            for name, member in value.items():
                yield from _walk(member, f"{path}.{name}".removeprefix("."), depth + 1)
        case list():
            for index, member in enumerate(value):
                yield from _walk(member, f"{path}[{index}]", depth + 1)


def _media(file: Mapping[str, Json], address: str, path: str) -> MediaType:
    """Return the type by content type, else by name, else by URL, else by path in the result."""
    match file.get("content_type"):
        case str(text) if media := _BY_NAME.get(text.partition(";")[0].strip().lower()):
            return media
        case str(text) if text.strip() and not text.startswith("application/octet-stream"):
            return OTHER
    names = (file.get("file_name"), _name(address))
    for name in (name for name in names if isinstance(name, str)):
        if media := BY_EXTENSION.get(PurePosixPath(name).suffix.lstrip(".").lower()):
            return media
    key = path.rpartition(".")[2].partition("[")[0].removesuffix("s")
    return _BY_KEY.get(key, OTHER)


def _name(address: str) -> str:
    if address[:5].lower() == "data:":
        media = _BY_NAME.get(address[5:100].partition(";")[0].lower(), OTHER)
        return f"data.{media.extension}"
    try:
        return urlsplit(address).path
    except ValueError:
        return ""


def by_published_name(files: tuple[ResultFile, ...]) -> dict[str, ResultFile]:
    """Return the files by published name: image-1.png, image-2.png, audio-1.mp3."""
    count, by_name = Counter[str](), dict[str, ResultFile]()
    for file in files:
        family = "file" if file.media is OTHER else file.media.family
        count[family] += 1
        by_name[f"{family}-{count[family]}.{file.media.extension}"] = file
    return by_name


# Containers that the media step reads; others are published unchanged.
_CLIPS = frozenset({"mp4", "mov"})


def video_address(payload: Json) -> str | None:
    """Return the URL of the rendered video; None in a result without one.

    A `video` that is declared as another type, such as WebM or GIF, is published unchanged, and so
    are all files next to it. https://fal.ai/docs : a File has `url` and may lack everything else.
    """
    match payload:
        case {"video": {"url": str(address)} as video} if address:
            (file,) = files_of({"video": video})
            return address if file.media.extension in _CLIPS | {OTHER.extension} else None
    files = files_of(payload)
    return next((file.address for file in files if file.media.extension in _CLIPS), None)


def publishable(payload: Json, *, needs_file: bool) -> bool:
    """Return whether the result has a file or, if none is needed, has any content."""
    has_content = payload is not None and payload not in ({}, [], "")
    return bool(files_of(payload)) or (not needs_file and has_content)
