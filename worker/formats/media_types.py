"""Media types by the first bytes of a file: those that fal's inputs accept and its models return.

Signatures: https://mimesniff.spec.whatwg.org and RFC 6381 (brands of `ftyp`).
"""

import re
from codecs import getincrementaldecoder
from dataclasses import dataclass

HEAD_BYTES = 64
VIDEO_HEAD_BYTES = 512  # holds two packets of a transport stream and the first byte of the third


@dataclass(frozen=True, slots=True)
class MediaType:
    """A kind of file: its MIME type and its file name extension."""

    name: str
    extension: str

    @property
    def family(self) -> str:
        """The family: image, video or audio."""
        return self.name.partition("/")[0]


JPEG, PNG = MediaType("image/jpeg", "jpg"), MediaType("image/png", "png")
GIF, WEBP = MediaType("image/gif", "gif"), MediaType("image/webp", "webp")
AVIF = MediaType("image/avif", "avif")
MP4, MOV = MediaType("video/mp4", "mp4"), MediaType("video/quicktime", "mov")
WEBM = MediaType("video/webm", "webm")
MP3, WAV = MediaType("audio/mpeg", "mp3"), MediaType("audio/wav", "wav")
OGG, FLAC = MediaType("audio/ogg", "ogg"), MediaType("audio/flac", "flac")
M4A, AAC = MediaType("audio/mp4", "m4a"), MediaType("audio/aac", "aac")

_SIGNATURES: tuple[tuple[re.Pattern[bytes], MediaType], ...] = (
    (re.compile(rb"\xff\xd8\xff"), JPEG),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), PNG),
    (re.compile(rb"GIF8[79]a"), GIF),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), WEBP),
    (re.compile(rb"RIFF....WAVE", re.DOTALL), WAV),
    (re.compile(rb"....ftyp(avif|avis)", re.DOTALL), AVIF),
    (re.compile(rb"....ftyp(M4A|M4B)", re.DOTALL), M4A),
    (re.compile(rb"....ftypqt  ", re.DOTALL), MOV),
    (re.compile(rb"....ftyp(?!heic|heix|mif1|msf1)", re.DOTALL), MP4),
    (re.compile(rb"\x1a\x45\xdf\xa3"), WEBM),
    (re.compile(rb"ID3|\xff[\xfa\xfb\xf2\xf3]"), MP3),
    (re.compile(rb"\xff[\xf0\xf1\xf8\xf9]"), AAC),
    (re.compile(rb"OggS"), OGG),
    (re.compile(rb"fLaC"), FLAC),
)
BY_EXTENSION = {media.extension: media for _, media in _SIGNATURES}
# The MIME types of the files that falhook writes, by suffix.
CONTENT_TYPES = {f".{extension}": media.name for extension, media in BY_EXTENSION.items()} | {
    ".vtt": "text/vtt",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".m4s": "video/mp4",
}


def sniff(head: bytes) -> MediaType | None:
    """Return the image, video or audio type of a file that begins with `head`, else None."""
    matches = (media for signature, media in _SIGNATURES if signature.match(head))
    return next(matches, None)


def formats(families: frozenset[str]) -> str:
    """Return the extensions of these families, for people: `jpg, png, gif, webp, avif`."""
    return ", ".join(name for name, media in BY_EXTENSION.items() if media.family in families)


# Videos that are not read here: fal does not accept them, and results are published unchanged.
_UNSUPPORTED_VIDEOS: tuple[tuple[re.Pattern[bytes], str, MediaType], ...] = (
    (re.compile(rb"RIFF....AVI ", re.DOTALL), "an AVI video", MediaType("video/x-msvideo", "avi")),
    (re.compile(rb"FLV\x01"), "a Flash video", MediaType("video/x-flv", "flv")),
    (
        re.compile(rb"(\x47.{187}){2}\x47", re.DOTALL),
        "an MPEG transport stream",
        MediaType("video/mp2t", "ts"),
    ),
    (re.compile(rb"\0\0\x01\xba"), "an MPEG program stream", MediaType("video/mpeg", "mpg")),
    (
        re.compile(rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
        "a Windows Media file",
        MediaType("video/x-ms-asf", "asf"),
    ),
    (
        re.compile(rb"[\0-\x08]...(moov|mdat|wide|free|skip|pnot)", re.DOTALL),
        "an old QuickTime video",
        MOV,
    ),
)
TEXT, BINARY = MediaType("text/plain", "txt"), MediaType("application/octet-stream", "bin")
_OTHERS: tuple[tuple[re.Pattern[bytes], str, MediaType], ...] = (
    *_UNSUPPORTED_VIDEOS,
    (re.compile(rb"BM....\0\0\0\0", re.DOTALL), "a BMP image", MediaType("image/bmp", "bmp")),
    (re.compile(rb"II\*\0|MM\0\*"), "a TIFF image", MediaType("image/tiff", "tiff")),
    (
        re.compile(rb"....ftyp(heic|heix|mif1|msf1)", re.DOTALL),
        "a HEIC image",
        MediaType("image/heic", "heic"),
    ),
    (re.compile(rb"%PDF-"), "a PDF", MediaType("application/pdf", "pdf")),
    (re.compile(rb"PK\x03\x04"), "a ZIP archive", MediaType("application/zip", "zip")),
)
_ANY_BY_EXTENSION = BY_EXTENSION | {
    media.extension: media for media in (*(media for *_, media in _OTHERS), TEXT, BINARY)
}


def unsupported_video(head: bytes) -> tuple[str, MediaType] | None:
    """Return name and type of a video that is not read here; `head`: its first VIDEO_HEAD_BYTES."""
    matches = (
        (words, media) for signature, words, media in _UNSUPPORTED_VIDEOS if signature.match(head)
    )
    return next(matches, None)


def described(head: bytes) -> str:
    """Describe a file that begins with `head`, in words that complete "it is …"."""
    if media := sniff(head):
        return media.name
    words = next((words for signature, words, _ in _OTHERS if signature.match(head)), None)
    if words is None:
        return "text" if _is_text(head) else "not a known image, video or audio format"
    return words


def guess_type(head: bytes) -> MediaType:
    """Return the type of any file that begins with `head`: text or binary if it is not known."""
    others = (media for signature, _, media in _OTHERS if signature.match(head))
    return sniff(head) or next(others, None) or (TEXT if _is_text(head) else BINARY)


def type_of_name(name: str) -> MediaType | None:
    """Return the type whose extension `name` has, of those of `guess_type`; None if it has none."""
    return _ANY_BY_EXTENSION.get(name.rpartition(".")[2])


# https://mimesniff.spec.whatwg.org/#identifying-a-resource-with-an-unknown-mime-type ; storage
# services put their errors into XML.
_PAGE = re.compile(
    rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*"
    rb"<(!doctype html|html|head|body|error)[\s>]",
    re.IGNORECASE | re.DOTALL,
)


def is_page(head: bytes) -> bool:
    """Return whether a body that begins with `head` is a web page, or the error of a server."""
    return _PAGE.match(head) is not None


def _is_text(head: bytes) -> bool:
    # The head may end in the middle of a character.
    text = getincrementaldecoder("utf-8")("replace").decode(head)
    return "\N{REPLACEMENT CHARACTER}" not in text and all(
        c.isprintable() or c.isspace() for c in text
    )
