"""The movie of an animated AVIF, and media data that moves: its offsets follow."""

from collections.abc import Sequence

from worker.formats.errors import MediaError
from worker.formats.images.heif.items import HEAD, Part, box
from worker.formats.mp4 import NotRewritable
from worker.formats.mp4.boxes import Box, Walk
from worker.formats.mp4.media_data import Relocation, update_offsets

_SAYING = frozenset({"udta", "meta", "uuid", "free", "skip"})
_MAX_MOVIE = 4 << 20  # bytes of a movie header that is read
Moved = tuple[range, int]  # where media data lies, and by how far it moves


def moves(media: Sequence[Part], at: int) -> list[Moved]:
    """How these boxes move when they stand one after the other from the byte `at` on."""
    found = []
    for part in media:
        body = range(part.body, part.end)
        found.append((body, at + HEAD - part.body))
        at += HEAD + len(body)
    return found


def plain(data: bytes, boxes: Sequence[Part]) -> bytes:
    """The movie header without what it says besides, b"" where there is none.

    Raises ValueError where it is in fragments, or broken.
    """
    kinds = [part.kind for part in boxes]
    if b"moof" in kinds or kinds.count(b"moov") > 1:
        raise ValueError("its sequence is in fragments, or it has more than one")
    for part in boxes:
        if part.kind == b"moov":
            if part.end - part.start > _MAX_MOVIE:
                raise ValueError(f"its movie header takes more than {_MAX_MOVIE} bytes")
            return box(b"moov", *map(_plain, _inside(memoryview(data)[part.body : part.end])))
    return b""


def followed(moov: bytes, moved: Sequence[Moved]) -> bytes:
    """The same header, its chunks where the media data is now."""
    made = bytearray(moov)
    body = memoryview(made)[HEAD:]
    try:
        update_offsets(
            Box("moov", body, _inside(body)),
            [Relocation(begins=lies.start, ends=lies.stop, by=by) for lies, by in moved],
        )
    except NotRewritable as error:
        raise ValueError(str(error)) from error
    except MediaError as failure:
        raise ValueError(failure.sentence) from failure
    return bytes(made)


def _inside(body: memoryview) -> tuple[Box, ...]:
    try:
        return Walk().boxes(body)
    except MediaError as failure:
        raise ValueError(failure.sentence) from failure


def _plain(inside: Box) -> bytes:
    if inside.kind in _SAYING:
        return b""
    if inside.kind == "mvex":
        raise ValueError("its sequence is in fragments")
    kind = inside.kind.encode("latin-1")
    if inside.children:
        return box(kind, *map(_plain, inside.children))
    return box(kind, bytes(inside.body))
