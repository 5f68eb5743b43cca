"""Pictures without a decoder: their size, and what they say of themselves."""

from pathlib import Path

from worker.pictures import jpeg, png, webp

__all__ = ["size_of", "tag"]

MAX_PICTURE = 64 << 20  # bytes of a picture that is read into memory
_FORMATS = (jpeg, png, webp)


def size_of(path: Path) -> tuple[int, int]:
    """Width and height in pixels; (0, 0) where the file is no whole JPEG, PNG or WebP."""
    data = _read(path)
    return next((size for form in _FORMATS if any(size := form.size_of(data))), (0, 0))


def tag(path: Path, xmp: bytes) -> None:
    """Put the XMP packet into the picture at `path`, in place of any other.

    Raises ValueError where `size_of` is (0, 0), or the packet is too large for the format.
    """
    data = _read(path)
    for form in _FORMATS:
        if any(form.size_of(data)):
            path.write_bytes(form.tagged(data, xmp))
            return
    raise ValueError("it is no whole JPEG, PNG or WebP picture")


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_PICTURE + 1)
    return data if len(data) <= MAX_PICTURE else b""
