"""Types of files as others declare them, and how they settle what the bytes of a file leave open.

Bytes come first. A declared MIME type or file name decides what they do not tell: which of two
kinds of file a container has, and the type of a text, an archive or an unknown format.
"""

import re
from dataclasses import dataclass
from mimetypes import MimeTypes
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from worker.formats import media_types as media
from worker.formats.media_types import BINARY, BY_EXTENSION, TEXT, MediaType, guess_type

# Names in use for registered types (https://www.iana.org/assignments/media-types).
_ALIASES: dict[str, MediaType] = {
    **dict.fromkeys(("image/jpg", "image/pjpeg", "image/x-jpeg"), media.JPEG),
    **dict.fromkeys(("image/apng", "image/vnd.mozilla.apng", "image/x-png"), media.PNG),
    **dict.fromkeys(("application/mp4", "video/x-m4v", "video/mpeg4", "video/x-mp4"), media.MP4),
    **dict.fromkeys(("video/x-quicktime", "video/mov"), media.MOV),
    **dict.fromkeys(("audio/mp3", "audio/x-mp3", "audio/mpeg3", "audio/x-mpeg"), media.MP3),
    **dict.fromkeys(
        ("audio/wave", "audio/x-wav", "audio/vnd.wave", "audio/x-pn-wav", "audio/x-wave"), media.WAV
    ),
    **dict.fromkeys(
        ("audio/opus", "audio/vorbis", "audio/x-ogg", "application/ogg", "audio/x-opus+ogg"),
        media.OGG,
    ),
    "audio/x-flac": media.FLAC,
    **dict.fromkeys(("audio/x-m4a", "audio/m4a", "audio/mp4a-latm"), media.M4A),
    **dict.fromkeys(("audio/x-aac", "audio/aacp", "audio/x-hx-aac-adts"), media.AAC),
}
_BY_NAME = {known.name: known for known in BY_EXTENSION.values()} | _ALIASES
_EXTENSIONS = BY_EXTENSION | {
    **dict.fromkeys(("jpeg", "jpe", "jfif", "pjpeg"), media.JPEG),
    "apng": media.PNG,
    "m4v": media.MP4,
    "qt": media.MOV,
    "wave": media.WAV,
    **dict.fromkeys(("opus", "oga"), media.OGG),
    "m4b": media.M4A,
}
# Types that declare nothing.
_UNKNOWN = re.compile(r"(application|binary)/(x-)?(octet-stream|binary|unknown|download)|\*/\*|")
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}")
_EXTENSION = re.compile(r"[a-z0-9]{1,12}")
# A published page or script would run under the operator's own origin.
_ACTIVE = re.compile(
    r"text/html|application/xhtml.*|.*(java|ecma)script|[sx]?html?|xht|[cm]?js|hta"
)
# Containers of several kinds of file: the declared one counts.
_KINDS: dict[tuple[MediaType, str], MediaType] = {
    (media.MP4, "audio"): media.M4A,
    (media.WEBM, "audio"): MediaType("audio/webm", "weba"),
    (media.OGG, "video"): MediaType("video/ogg", "ogv"),
}
_MAX_NAME = 200
# Not the tables of this machine, so that all workers agree; and what fal's models return besides.
_REGISTERED = MimeTypes()
for _extension, _type_name in {
    "glb": "model/gltf-binary",  # https://www.iana.org/assignments/media-types/model/gltf-binary
    "gltf": "model/gltf+json",
    "obj": "model/obj",
    "stl": "model/stl",
    "usdz": "model/vnd.usdz+zip",
    "ply": "application/ply",
    "srt": "application/x-subrip",
    "vtt": "text/vtt",
    "svg": "image/svg+xml",
    "ndjson": "application/x-ndjson",
}.items():
    _REGISTERED.add_type(_type_name, f".{_extension}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What others say of a file: MIME type and name, either may be empty; neither is trusted.

    `address` is its URL, whose path may end like a file name.
    """

    content_type: str = ""
    file_name: str = ""
    address: str = ""

    @property
    def media(self) -> MediaType | None:
        """The type by content type, else by name, else by URL.

        BINARY for a content type that is not known here, None if nothing tells a known type.
        """
        if known := _BY_NAME.get(self._type):
            return known
        if not _UNKNOWN.fullmatch(self._type):
            return BINARY
        names = (by_file_name(self.file_name), by_file_name(self._path))
        return next((known for known in names if known), None)

    def settle(self, head: bytes) -> MediaType:
        """Return the type of a file that begins with `head`: by its bytes, else as declared."""
        found = guess_type(head)
        if found not in {TEXT, BINARY} and found.name != "application/zip":
            return _KINDS.get((found, self._family), found)
        if self.media not in {None, BINARY}:
            return found  # the bytes are not of that type
        extension = self._extension or (_REGISTERED.guess_extension(self._type) or "")[1:]
        name = self._safe_type or (_REGISTERED.guess_type(f"file.{extension}")[0] or "")
        return MediaType(
            found.name if _ACTIVE.fullmatch(name) or not name else name,
            extension if extension and not _ACTIVE.fullmatch(extension) else found.extension,
        )

    def record(self) -> dict[str, str]:
        """Return what is declared, shortened and without control characters."""
        fields = {"content_type": self.content_type, "file_name": self.file_name}
        return {name: safe for name, text in fields.items() if (safe := _printable(text))}

    @property
    def _type(self) -> str:
        return self.content_type.partition(";")[0].strip().lower()

    @property
    def _family(self) -> str:
        return (_BY_NAME.get(self._type) or MediaType(self._type, "")).family

    @property
    def _safe_type(self) -> str:
        unusable = _UNKNOWN.fullmatch(self._type) or not _TYPE.fullmatch(self._type)
        return "" if unusable else self._type

    @property
    def _extension(self) -> str:
        return extension_of(self.file_name) or extension_of(self._path)

    @property
    def _path(self) -> str:
        try:
            return "" if self.address[:5] == "data:" else urlsplit(self.address).path
        except ValueError:
            return ""


def by_file_name(name: str) -> MediaType | None:
    """Return the type that the extension of a file name or path stands for; None if unknown."""
    return _EXTENSIONS.get(extension_of(name))


def extension_of(name: str) -> str:
    """Return the extension of a file name or path: lower case, letters and digits only, or none."""
    extension = PurePosixPath(name.strip()).suffix[1:].lower()
    return extension if _EXTENSION.fullmatch(extension) else ""


def _printable(text: str) -> str:
    safe = "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
    return safe.strip()[:_MAX_NAME]
