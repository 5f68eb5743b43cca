"""The kind of a file that is not an MP4, so that its refusal says more than "invalid"."""

import re

from worker.formats.media_types import unsupported_video
from worker.formats.mp4.boxes import invalid, unsupported

_TEXTS = (
    (re.compile(rb"#EXTM3U"), "an HLS playlist"),
    (re.compile(rb"(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?<MPD\b", re.DOTALL), "a DASH manifest"),
    (re.compile(rb"ffconcat\b|file\s+\S"), "a list of other files"),
    (re.compile(rb"v=0\r?\n"), "a session description"),
    (re.compile(rb"(<\?xml[^>]*>\s*)?(<!DOCTYPE[^>]*>\s*)?<svg\b", re.IGNORECASE), "an SVG"),
    (re.compile(rb"<!DOCTYPE html|<html\b|<head\b|<body\b", re.IGNORECASE), "a web page"),
    (re.compile(rb"<\?xml|<"), "an XML document"),
    (re.compile(rb"[{\[]"), "a JSON document"),
)
_MEDIA = (
    (re.compile(rb"\x1a\x45\xdf\xa3"), "a Matroska or WebM file"),
    (re.compile(rb"RIFF....WAVE|ID3|fLaC|OggS", re.DOTALL), "an audio file"),
    (re.compile(rb"RIFF....WEBP|\x89PNG|\xff\xd8\xff|GIF8", re.DOTALL), "a still image or GIF"),
)
_STILLS = frozenset({b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1"})


def require_mp4(head: bytes) -> None:
    """Raise unless `head` is the beginning of an MP4 or QuickTime file.

    Raises `MediaError`: media_unsupported for other media, media_invalid for anything else.
    """
    if not head:
        raise invalid("it is empty")
    if head[4:8] == b"ftyp":
        if head[8:12] in _STILLS:
            raise unsupported("it is a still image, not an MP4 video")
        return
    if other := unsupported_video(head):
        raise unsupported(f"it is {other[0]}, not an MP4 video")
    for pattern, name in _MEDIA:
        if pattern.match(head):
            raise unsupported(f"it is {name}, not an MP4 video")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for pattern, name in _TEXTS:
        if pattern.match(text):
            raise invalid(f"it is {name}, not an MP4 video")
    raise invalid("it does not begin with an 'ftyp' box, as an MP4 does")
