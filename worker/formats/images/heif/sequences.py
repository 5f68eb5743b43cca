"""The movie of an animated AVIF: its offsets are updated when media data moves."""

from collections.abc import Sequence

from worker.formats.errors import MediaError
from worker.formats.images.heif.items import Part
from worker.formats.mp4 import NotRewritable
from worker.formats.mp4.boxes import HEADER_BYTES, Box, Walk, box
from worker.formats.mp4.media_data import Relocation, update_offsets

_METADATA = frozenset({"udta", "meta", "uuid", "free", "skip"})
_MAX_MOVIE = 4 << 20  # bytes of the largest movie header that is read
Moved = tuple[range, int]  # the range of media data before it moves, and the distance


def moves(media: Sequence[Part], at: int) -> list[Moved]:
    """Return how these boxes move if they are written one after another from offset `at`."""
    result = []
    for part in media:
        body = range(part.body, part.end)
        result.append((body, at + HEADER_BYTES - part.body))
        at += HEADER_BYTES + len(body)
    return result


def without_metadata(data: bytes, boxes: Sequence[Part]) -> bytes:
    """Return the movie header without its metadata, or b"" if the file has none.

    Raises ValueError if it is fragmented, or broken.
    """
    kinds = [part.kind for part in boxes]
    if b"moof" in kinds or kinds.count(b"moov") > 1:
        raise ValueError("its image sequence is fragmented, or it has several movie headers")
    for part in boxes:
        if part.kind == b"moov":
            if part.end - part.start > _MAX_MOVIE:
                raise ValueError(f"its movie header takes more than {_MAX_MOVIE} bytes")
            return box(b"moov", *map(_plain, _inside(memoryview(data)[part.body : part.end])))
    return b""


def with_offsets(moov: bytes, moved: Sequence[Moved]) -> bytes:
    """Return the same header with the chunk offsets of the moved media data."""
    header = bytearray(moov)
    body = memoryview(header)[HEADER_BYTES:]
    try:
        update_offsets(
            Box("moov", body, _inside(body)),
            [Relocation(begins=span.start, ends=span.stop, by=by) for span, by in moved],
        )
    except NotRewritable as error:
        raise ValueError(str(error)) from error
    except MediaError as failure:
        raise ValueError(failure.sentence) from failure
    return bytes(header)


def _inside(body: memoryview) -> tuple[Box, ...]:
    try:
        return Walk().boxes(body)
    except MediaError as failure:
        raise ValueError(failure.sentence) from failure


def _plain(inside: Box) -> bytes:
    if inside.kind in _METADATA:
        return b""
    if inside.kind == "mvex":
        raise ValueError("its image sequence is fragmented")
    kind = inside.kind.encode("latin-1")
    if inside.children:
        return box(kind, *map(_plain, inside.children))
    return box(kind, bytes(inside.body))
