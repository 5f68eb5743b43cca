"""The descriptive tags of an MP4, as players, ffprobe, exiftool and mediainfo read them.

Three forms are read: `mdta` keys (QuickTime File Format, Metadata), `mdir` items (iTunes), and
freeform items ("----") among those, which may have any name. The last two are written: at least one
reader drops a name of our own in any other form.
"""

import struct
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from worker.formats.aigc_label import AIGC, InvalidLabel, preserved_tags
from worker.formats.mp4.boxes import Box, Walk, box, invalid, unsupported
from worker.formats.mp4.uuid_boxes import xmp_of

_NAMES = {
    "©nam": "title",
    "©cmt": "comment",
    "©day": "date",
    "©too": "encoder",
    "desc": "description",
}
_KINDS = {name: kind for kind, name in _NAMES.items()}
_FREEFORM = "----"
_MEAN = b"com.apple.iTunes"
_UTF8 = 1  # well-known type of a data box
MAX_TEXT = 64 << 10  # bytes of one value


def udta(pairs: Mapping[str, str], others: bytes = b"") -> bytes:
    """Return a user data box with these tags; names that are not standard become freeform.

    `others`: complete items, as returned by `others` below.
    """
    handler = box(b"hdlr", bytes(8), b"mdir", b"appl", bytes(9))
    items = box(b"ilst", *(_item(name, value) for name, value in pairs.items()), others)
    return box(b"udta", box(b"meta", bytes(4), handler, items))


def _item(name: str, value: str) -> bytes:
    data = box(b"data", struct.pack(">II", _UTF8, 0), value.encode())
    if kind := _KINDS.get(name):
        return box(kind.encode("latin-1"), data)
    mean = box(b"mean", bytes(4), _MEAN)
    return box(b"----", mean, box(b"name", bytes(4), name.encode()), data)


def read(path: Path) -> dict[str, str]:
    """Return the text tags in moov/udta/meta and moov/meta; `MediaError` if they are malformed.

    A producer's label that is in no tag, and the link to credentials, are read from XMP. Raises
    UnsupportedMedia for a label that cannot be preserved.
    """
    tags = _tags(path)
    texts = {tag.name: tag.text for tag in tags if tag.name and tag.text is not None}
    if any(tag.name == AIGC and tag.text is None for tag in tags):
        raise unsupported("one of its tags has an AIGC label that cannot be read")
    try:
        return texts | preserved_tags(xmp_of(path), texts.get(AIGC, ""))
    except InvalidLabel as reason:
        raise unsupported(str(reason)) from reason


def others(path: Path, names: Container[str]) -> bytes:
    """Return the tags with other names than these, as items of `udta`; `MediaError` as above.

    iTunes items, such as cover images, are kept unchanged; of `mdta` keys the texts are kept.
    """
    return b"".join(tag.item for tag in _tags(path) if tag.name not in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tag:
    """A tag as it was read, and the item to write again."""

    name: str | None
    text: str | None
    item: bytes


def _tags(path: Path) -> tuple[_Tag, ...]:
    walk = Walk()
    with path.open("rb") as file:
        try:
            extents = walk.extents(file, path.stat().st_size)
            moov = next((walk.load(file, box) for box in extents if box.kind == "moov"), None)
            metas = _metas(moov, walk) if moov else ()
            return tuple(tag for meta in metas for tag in _items(meta, walk))
        except (struct.error, IndexError) as error:
            raise invalid("a box of its tags is shorter than the fields it must hold") from error


def _metas(moov: Box, walk: Walk) -> list[Box]:
    metas = list(moov.all("meta"))
    for user_data in moov.all("udta"):
        inside = walk.boxes(user_data.body)
        metas += Box(user_data.kind, user_data.body, inside).all("meta")
    return metas


def _items(meta: Box, walk: Walk) -> Iterator[_Tag]:
    # In MP4 a meta box begins with version and flags, in QuickTime it does not.
    skip = 0 if bytes(meta.body[4:8]) == b"hdlr" else 4
    inside = Box(meta.kind, meta.body, walk.boxes(meta.body[skip:]))
    keys = _keys(inside.find("keys"), walk)
    for item in walk.boxes(inside.need("ilst").body) if inside.find("ilst") else ():
        opened = Box(item.kind, item.body, walk.boxes(item.body))
        name, data = _name(opened, keys), opened.find("data")
        text = None
        if data and data.u32(0) == _UTF8 and len(data.body) <= MAX_TEXT:
            text = bytes(data.body[8:]).decode("utf-8", "replace")
        copy = box(item.kind.encode("latin-1"), bytes(item.body))
        if keys:
            copy = _item(name, text) if name and text is not None else b""
        yield _Tag(name=name, text=text, item=copy)


def _name(item: Box, keys: Mapping[int, str]) -> str | None:
    if item.kind == _FREEFORM:
        name = item.find("name")
        return bytes(name.body[4:]).decode("utf-8", "replace") if name else None
    if keys:
        return keys.get(int.from_bytes(item.kind.encode("latin-1")))
    return _NAMES.get(item.kind)


def _keys(keys: Box | None, walk: Walk) -> dict[int, str]:
    if keys is None:
        return {}
    names = (bytes(key.body).decode("utf-8", "replace") for key in walk.boxes(keys.body[8:]))
    return dict(enumerate(names, start=1))
