"""Pictures without a decoder: their size, and what they say of themselves."""

from pathlib import Path

from worker.marks import AIGC
from worker.pictures import avif, gif, jpeg, png, webp
from worker.xmp import text_of

__all__ = ["MAX_PICTURE", "has_credentials", "read_tags", "size_of", "tag"]

MAX_PICTURE = 32 << 20  # bytes of a picture that is read into memory
_FORMATS = (jpeg, png, webp, gif, avif)


def size_of(path: Path) -> tuple[int, int]:
    """Width and height in pixels; (0, 0) for what is no whole JPEG, PNG, WebP, GIF or AVIF."""
    data = _read(path)
    return next((size for form in _FORMATS if any(size := form.size_of(data))), (0, 0))


def read_tags(path: Path) -> dict[str, str]:
    """What the picture said of itself that is worth keeping: its provider's label, by its name."""
    data = _read(path)
    for form in _FORMATS:
        if any(form.size_of(data)):
            label = text_of(form.xmp_of(data), f"TC260:{AIGC}")
            # Some providers write it into a text chunk of a PNG.
            label = label or png.text_of(data, AIGC.encode()).decode("utf-8", "replace")
            return {AIGC: label} if label else {}
    return {}


def tag(path: Path, xmp: bytes) -> None:
    """Put the XMP packet into the picture at `path`, in place of all else that it says of itself.

    Its pixels, its colour profile, how it is turned and its credentials stay; EXIF, IPTC, comments
    and texts may hold the prompt.

    Raises ValueError where `size_of` is (0, 0), or the packet is too large for the format.
    """
    data = _read(path)
    for form in _FORMATS:
        if any(form.size_of(data)):
            path.write_bytes(form.tagged(data, xmp))
            return
    raise ValueError("it is no whole JPEG, PNG, WebP, GIF or AVIF picture")


def has_credentials(path: Path) -> bool:
    """Whether the picture at `path` holds content credentials, a JUMBF box of C2PA."""
    data = _read(path)
    return b"jumb" in data and b"c2pa" in data


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_PICTURE + 1)
    return data if len(data) <= MAX_PICTURE else b""
