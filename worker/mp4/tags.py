"""The descriptive tags of an MP4, as players and ffprobe read them.

Both shapes are read: `mdta` keys (QuickTime File Format, Metadata) and `mdir` items (iTunes).
"""

import struct
from pathlib import Path

from worker.mp4.boxes import Box, Walk, invalid

_NAMES = {"©nam": "title", "©cmt": "comment", "©day": "date", "©too": "encoder", "desc": "synopsis"}
_UTF8 = 1  # well-known type of a data box
MAX_TEXT = 64 << 10  # bytes of one value


def read(path: Path) -> dict[str, str]:
    """The text tags in moov/udta/meta and moov/meta; `Permanent` where these are malformed."""
    walk = Walk()
    with path.open("rb") as file:
        try:
            extents = walk.extents(file, path.stat().st_size)
            moov = next((walk.load(file, box) for box in extents if box.kind == "moov"), None)
            found: dict[str, str] = {}
            for meta in _metas(moov, walk) if moov else ():
                found |= _items(meta, walk)
        except (struct.error, IndexError) as error:
            raise invalid("a box of its tags is shorter than the fields it must hold") from error
    return found


def _metas(moov: Box, walk: Walk) -> list[Box]:
    metas = list(moov.all("meta"))
    for udta in moov.all("udta"):
        metas += Box(udta.kind, udta.body, walk.boxes(udta.body)).all("meta")
    return metas


def _items(meta: Box, walk: Walk) -> dict[str, str]:
    # In MP4 a meta box begins with version and flags, in QuickTime it does not.
    skip = 0 if bytes(meta.body[4:8]) == b"hdlr" else 4
    inside = Box(meta.kind, meta.body, walk.boxes(meta.body[skip:]))
    keys = _keys(inside.find("keys"), walk)
    found = {}
    for item in walk.boxes(inside.need("ilst").body) if inside.find("ilst") else ():
        number = int.from_bytes(item.kind.encode("latin-1"))
        name = keys.get(number) if keys else _NAMES.get(item.kind)
        data = next((box for box in walk.boxes(item.body) if box.kind == "data"), None)
        if name and data and data.u32(0) == _UTF8 and len(data.body) <= MAX_TEXT:
            found[name] = bytes(data.body[8:]).decode("utf-8", "replace")
    return found


def _keys(keys: Box | None, walk: Walk) -> dict[int, str]:
    if keys is None:
        return {}
    names = (bytes(key.body).decode("utf-8", "replace") for key in walk.boxes(keys.body[8:]))
    return dict(enumerate(names, start=1))
