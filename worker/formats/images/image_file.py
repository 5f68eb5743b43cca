"""Pictures without a decoder: their size, and what they say of themselves."""

from pathlib import Path

from worker.formats.aigc_label import AIGC, MAX_LABEL, carried_over, in_comment
from worker.formats.images import avif, gif, jpeg, png, webp
from worker.formats.images.exif import user_comment

__all__ = ["MAX_PICTURE", "credentials_of", "has_credentials", "read_tags", "size_of", "tag"]

MAX_PICTURE = 32 << 20  # bytes of a picture that is read into memory
_FORMATS = (jpeg, png, webp, gif, avif)


def size_of(path: Path) -> tuple[int, int]:
    """Width and height in pixels; (0, 0) for what is no whole JPEG, PNG, WebP, GIF or AVIF."""
    data = _read(path)
    try:
        return next((form.size_of(data) for form in _FORMATS if form.begins(data)), (0, 0))
    except ValueError:
        return 0, 0


def read_tags(path: Path) -> dict[str, str]:
    """What the picture said of itself that is worth keeping, by its name.

    Its producer's label, and where its credentials are if they are elsewhere. Raises ValueError
    where that cannot be carried over, or it has more parts than are looked at.
    """
    data = _read(path)
    for form in _FORMATS:
        if form.begins(data):
            return carried_over(form.xmp_of(data), _label(form.exif_of(data), data))
    return {}


def _label(tiff: bytes, data: bytes) -> str:
    # Some providers write it into a text chunk of a PNG.
    text = png.text_of(data, AIGC.encode())[: 4 * MAX_LABEL]
    return text.decode("utf-8", "replace") or in_comment(user_comment(tiff))


def tag(path: Path, xmp: bytes) -> None:
    """Put the XMP packet into the picture at `path`, in place of all else that it says of itself.

    Its pixels, its colour profile, how it is turned and its credentials stay; EXIF, IPTC, comments
    and texts may hold the prompt.

    Raises ValueError where `size_of` is (0, 0), or the packet is too large for the format.
    """
    data = _read(path)
    for form in _FORMATS:
        if form.begins(data) and any(form.size_of(data)):
            path.write_bytes(form.tagged(data, xmp))
            return
    raise ValueError("it is no whole JPEG, PNG, WebP, GIF or AVIF picture")


def has_credentials(path: Path) -> bool:
    """Whether the picture at `path` holds content credentials, a JUMBF box of C2PA."""
    data = _read(path)
    return b"jumb" in data and b"c2pa" in data


def credentials_of(path: Path) -> tuple[range, ...]:
    """Where these lie in the file, in bytes. Raises ValueError for too many parts."""
    data = _read(path)
    forms = (form.credentials_of(data) for form in _FORMATS if form.begins(data))
    return tuple(next(forms, ()))


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_PICTURE + 1)
    return data if len(data) <= MAX_PICTURE else b""
