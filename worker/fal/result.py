"""The files in a result of any fal model, found by walking it.

https://fal.ai/docs : a File has `url`, and may have `content_type` and `file_name`. Many models
return bare URLs instead, under names of their own, or data URIs (`sync_mode`).
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from worker.fal.lenient_json import MAX_DEPTH, parse_lenient
from worker.formats.declared_types import Declared
from worker.formats.media_types import BINARY, BY_EXTENSION, MediaType
from worker.types import Json

OTHER = BINARY
# The type of a file that has neither a type nor a file extension, by its key in the result.
_BY_KEY = {
    "video": BY_EXTENSION["mp4"],
    "image": BY_EXTENSION["png"],
    "audio": BY_EXTENSION["mp3"],
}
_LINK = re.compile(r"\s*(https?://\S|//[\w.-]+[:/]\S|data:[\w.+-]+/[\w.+-]+[;,])", re.IGNORECASE)
# Where results have their files.
_PLACES = re.compile(r"(video|image|audio)s?(\[\d+\])?")
_CONTAINER = re.compile(r"\s*[\[{]")  # how JSON of an object or a list begins


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultFile:
    """One file of a result: its path in the result, its URL, its likely type.

    `whole` is True for a File object, False for a bare URL.
    """

    path: str
    address: str
    media: MediaType
    declared: Declared = field(default_factory=Declared, repr=False)
    whole: bool = False

    @property
    def embedded(self) -> bool:
        """Whether its URL is a data URI, which contains the file."""
        return is_data_uri(self.address)


def is_data_uri(address: str) -> bool:
    """Whether the URL contains its file."""
    return address.lstrip()[:5].lower() == "data:"


def files_of(
    payload: Json,
    *,
    allows: Callable[[str], bool] = lambda _address: True,
    sent: Collection[str] = frozenset(),
) -> tuple[ResultFile, ...]:
    """Return every file of the result in order; a repeated URL counts once.

    A file is a File object or a URL anywhere in the result, also in a text that is itself JSON.
    Where `allows` refuses a URL, it is a link: part of the result's data. Bare URLs in `sent` are
    inputs that the model repeats.
    """
    files: dict[str, ResultFile] = {}
    for file in _walk(payload):
        is_input = not file.whole and file.address in sent
        if is_input or not (file.embedded or allows(file.address)):
            continue
        known = files.get(file.address)
        if known is None or (file.whole and not known.whole):
            files[file.address] = file
    return tuple(files.values())


def links_of(payload: Json, *, allows: Callable[[str], bool]) -> tuple[ResultFile, ...]:
    """Return the files that the result declares as such and that `allows` refuses."""
    return tuple(
        file
        for file in files_of(payload)
        if file.whole and not file.embedded and not allows(file.address) and _is_declared(file)
    )


def _is_declared(file: ResultFile) -> bool:
    return file.media is not OTHER or bool(file.declared.record())


def _walk(payload: Json) -> Iterator[ResultFile]:
    waiting: list[tuple[str, Json, int]] = [("", payload, 0)]
    while waiting:
        path, value, depth = waiting.pop()
        if depth > MAX_DEPTH:
            continue
        members: list[tuple[str, Json]] = []
        match value:
            case str() if _is_link(value):
                yield _file(path, value, {})
            case str():
                members = [(path, contained)] if (contained := opened(value)) is not value else []
            case dict():
                address = value.get("url")
                if isinstance(address, str) and address:
                    yield _file(path, address, value, whole=True)
                    value = {name: each for name, each in value.items() if name != "url"}
                members = [
                    (f"{path}.{name}".removeprefix("."), each) for name, each in value.items()
                ]
            case list():
                members = [(f"{path}[{index}]", each) for index, each in enumerate(value)]
        waiting += ((name, each, depth + 1) for name, each in reversed(members))


def opened(value: Json) -> Json:
    """Return the object or list that a text contains as JSON; any other value as it is."""
    if not isinstance(value, str) or not _CONTAINER.match(value):
        return value
    try:
        return parse_lenient(value)
    except ValueError:
        return value


def _is_link(text: str) -> bool:
    """Return whether a text is one URL: prose may begin with one, and names may have blanks."""
    one = text.strip()
    if not _LINK.match(one):
        return False
    return is_data_uri(one) or not re.search(r"\s", one) or Declared(address=one).media is not None


def _file(path: str, address: str, file: Mapping[str, Json], *, whole: bool = False) -> ResultFile:
    address = address.strip() or address
    content_type = _text(file.get("content_type"))
    if is_data_uri(address) and not content_type:
        content_type = re.split("[;,]", address[5:200])[0]
    declared = Declared(
        content_type=content_type, file_name=_text(file.get("file_name")), address=address[:2000]
    )
    media = declared.media or _BY_KEY.get(_key(path), OTHER)
    return ResultFile(path=path, address=address, media=media, declared=declared, whole=whole)


def _key(path: str) -> str:
    """Return the last name in a path, as one file would be called: `video` of `a.video_urls[0]`."""
    key = re.sub(r"\[\d+\]$", "", path.rpartition(".")[2]).removesuffix("s")
    return key.removesuffix("_url").removesuffix("s")


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def by_published_name(files: tuple[ResultFile, ...]) -> dict[str, ResultFile]:
    """Return the files by likely name: image-1.png, image-2.png, audio-1.mp3."""
    count, by_name = Counter[str](), dict[str, ResultFile]()
    for file in files:
        family = family_of(file.media)
        count[family] += 1
        by_name[f"{family}-{count[family]}.{file.media.extension}"] = file
    return by_name


def family_of(media: MediaType) -> str:
    """Return the word that names of files of this type begin with."""
    return media.family if media.family in {"image", "video", "audio"} else "file"


# Containers that the media step reads; others are published unchanged.
CLIPS = frozenset({"mp4", "mov"})


def video_of(files: tuple[ResultFile, ...]) -> ResultFile | None:
    """Return the rendered video among the files of a result; None if it has no video.

    A `video` that is declared as another type, such as WebM or GIF, is published unchanged, and so
    are all files next to it. https://fal.ai/docs : a File has `url` and may lack everything else.
    """
    for file in files:
        if file.path in {"video", "video_url"}:
            return file if file.media.extension in CLIPS | {OTHER.extension} else None
    return next((file for file in files if file.media.extension in CLIPS), None)


def has_rendered(payload: Json) -> bool:
    """Return whether a payload has a File where results have theirs: an error may come with it.

    Files elsewhere in an error are inputs that it repeats.
    """
    return any(file.whole and _PLACES.fullmatch(file.path) for file in files_of(payload))


def video_address(payload: Json) -> str | None:
    """Return the URL of the rendered video; None in a result without one."""
    video = video_of(files_of(payload))
    return video.address if video else None


def publishable(payload: Json, *, needs_file: bool) -> bool:
    """Return whether the result may have a file or, if none is needed, has any content."""
    has_content = payload is not None and payload not in ({}, [], "")
    return bool(files_of(payload)) or (not needs_file and has_content)
