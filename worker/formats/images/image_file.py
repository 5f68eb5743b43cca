"""The size, tags and credentials of an image file of any format."""

from pathlib import Path

from worker.formats.aigc_label import AIGC, MAX_LABEL, label_in_comment, preserved_tags
from worker.formats.images import avif, gif, jpeg, png, webp
from worker.formats.images.exif import user_comment

MAX_PICTURE = 32 << 20  # bytes of the largest image that is read into memory
_FORMATS = (jpeg, png, webp, gif, avif)


def size_of(path: Path) -> tuple[int, int]:
    """Return width and height in pixels; (0, 0) if it is not a complete image of a known format."""
    return dimensions_of(_read(path))


def dimensions_of(data: bytes) -> tuple[int, int]:
    """Return what `size_of` returns, for an image in memory."""
    try:
        return next((form.size_of(data) for form in _FORMATS if form.begins(data)), (0, 0))
    except ValueError:
        return 0, 0


def read_tags(path: Path) -> dict[str, str]:
    """Return the source's tags that its tagged copy keeps, by name (`preserved_tags`).

    Raises ValueError if they cannot be preserved, or the image has too many parts.
    """
    data = _read(path)
    for form in _FORMATS:
        if form.begins(data):
            return preserved_tags(form.xmp_of(data), _label(form.exif_of(data), data))
    return {}


def _label(tiff: bytes, data: bytes) -> str:
    # Some producers write it into a text chunk of a PNG.
    text = png.text_of(data, AIGC.encode())[: 4 * MAX_LABEL]
    return text.decode("utf-8", "replace") or label_in_comment(user_comment(tiff))


def tag(path: Path, xmp: bytes) -> None:
    """Replace the metadata of the image at `path` with this XMP packet.

    Pixels, colour profile, orientation and credentials are kept. EXIF, IPTC, comments and texts may
    hold the prompt, and are removed.

    Raises ValueError if `size_of` is (0, 0), or the packet is too large for the format.
    """
    data = _read(path)
    for form in _FORMATS:
        if form.begins(data) and any(form.size_of(data)):
            path.write_bytes(form.tagged(data, xmp))
            return
    raise ValueError("it is not a complete JPEG, PNG, WebP, GIF or AVIF image")


def left_out(path: Path) -> tuple[str, ...]:
    """Return what a tagged copy of the image lacks other than metadata, in words."""
    data = _read(path)
    dropped = jpeg.left_out(data) if jpeg.begins(data) else None
    return (dropped,) if dropped else ()


def has_credentials(path: Path) -> bool:
    """Return whether the image at `path` holds content credentials, a JUMBF box of C2PA."""
    data = _read(path)
    return b"jumb" in data and b"c2pa" in data


def credentials_of(path: Path) -> tuple[range, ...]:
    """Return the byte ranges of content credentials. Raises ValueError for too many parts."""
    data = _read(path)
    forms = (form.credentials_of(data) for form in _FORMATS if form.begins(data))
    return tuple(next(forms, ()))


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_PICTURE + 1)
    return data if len(data) <= MAX_PICTURE else b""
