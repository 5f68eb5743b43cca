"""Rules for boxes: their places, how many are allowed, their entries (ISO/IEC 14496-12, table 1).

A demuxer accepts a box in any place, uses the last of two, and allocates memory for as many entries
as a box claims: ffmpeg has one table of boxes for all places (libavformat/mov.c). A file must
therefore hold no boxes that the preflight did not check.
"""

from collections.abc import Callable, Iterator, Mapping

from worker.formats.errors import MediaError
from worker.formats.mp4.boxes import CONTAINERS, Box, Extent, Walk, invalid, unsupported

ROOT = ""
_ONE: Mapping[str, str] = {
    ROOT: "moov",
    "moov": "mvhd mvex",
    "trak": "tkhd mdia edts tref",
    "mdia": "mdhd hdlr minf",
    "minf": "stbl dinf hdlr",
    "dinf": "dref",
    "edts": "elst",
    "stbl": "stsd stts ctts stsc stsz stz2 stco co64 stss stps sdtp",
    "moof": "mfhd",
    "traf": "tfhd tfdt",
    "meta": "hdlr keys",
}
_MANY: Mapping[str, str] = {
    ROOT: "ftyp moof mdat sidx",
    "moov": "trak udta meta",
    "trak": "udta meta",
    "mdia": "udta meta",
    "mvex": "trex",
    "moof": "traf udta meta",
    "traf": "trun udta meta",
    "udta": "meta",
    "meta": "ilst",
}
_ELSEWHERE = frozenset({"cmov", "hoov", "rmra", "rmda"})  # other movie headers, packed or remote
_STILLS = frozenset({"iinf", "iloc", "iprp", "iref", "pitm"})
_ENCRYPTION = frozenset({"pssh", "senc", "saiz", "saio"})
_EITHER = (frozenset({"stco", "co64"}), frozenset({"stsz", "stz2"}))  # one replaces the other
_ALSO_ENTERED = frozenset({"udta", "tref", "ilst", "sinf", "schi"})


def _parents(*tables: Mapping[str, str]) -> dict[str, frozenset[str]]:
    pairs = [
        (kind, at) for table in tables for at, kinds in table.items() for kind in kinds.split()
    ]
    return {kind: frozenset(at for child, at in pairs if child == kind) for kind, _ in pairs}


_PARENTS = _parents(_ONE, _MANY)
_SINGLE = {at: frozenset(kinds.split()) for at, kinds in _ONE.items()}
_ROOTLESS = _ALSO_ENTERED | CONTAINERS - {"moov", "moof"}
# Names that texts and parameter sets of a sample description contain only by intent.
_STRUCTURE = [
    kind.encode()
    for kind in sorted(_PARENTS.keys() | _ELSEWHERE | _STILLS)
    if kind not in {"meta", "udta", "ilst", "keys", "hdlr", "sidx"}
]


def require_root(extents: tuple[Extent, ...]) -> None:
    """Raise `MediaError` if a top-level box is not allowed at the top level."""
    for extent in extents:
        _require_place(extent.kind, ROOT)
        if extent.kind in _ROOTLESS:
            raise _misplaced(extent.kind)


def require_inside(parent: Box, walk: Walk, depth: int = 1) -> None:
    """Check the place, the number and the entries of every box in `parent`.

    Raises `MediaError`: media_invalid, or media_unsupported if samples are encrypted.
    """
    seen: set[str] = set()
    for child in _children(parent, walk, depth):
        _require_place(child.kind, parent.kind)
        if child.kind in seen & _SINGLE.get(parent.kind, frozenset()):
            raise invalid(f"it has more than one '{child.kind}' box where one is allowed")
        seen.add(child.kind)
        if count := _COUNTED.get(child.kind):
            _require_room(child, *count(child))
        if child.kind == "stsd":
            _require_descriptions(child)
        require_inside(child, walk, depth + 1)
    for kinds in _EITHER:
        if kinds <= seen:
            names = " and ".join(sorted(kinds))
            raise invalid(f"one of its tracks has both kinds of a table ({names})")


def _children(box: Box, walk: Walk, depth: int) -> tuple[Box, ...]:
    if box.kind in CONTAINERS:
        return box.children
    if box.kind in _ALSO_ENTERED:
        return walk.boxes(box.body, depth)
    return tuple(_in_meta(box, walk, depth)) if box.kind == "meta" else ()


def _in_meta(meta: Box, walk: Walk, depth: int) -> Iterator[Box]:
    """Yield the boxes in a `meta` box. MP4 has version and flags first, QuickTime the handler."""
    head = bytes(meta.body[:12])
    if (at := head.find(b"hdlr")) in {4, 8}:
        yield from walk.boxes(meta.body[at - 4 :], depth)
    elif b"hdlr" in bytes(meta.body):
        raise invalid("one of its 'meta' boxes does not begin with its handler")


def _require_place(kind: str, parent: str) -> None:
    if kind in _ELSEWHERE:
        raise invalid("its movie header is compressed or refers to other files")
    if kind in _ENCRYPTION:
        raise unsupported("its samples are encrypted")
    if kind in _STILLS or parent not in _PARENTS.get(kind, {parent}):
        raise _misplaced(kind)


def _misplaced(kind: str) -> MediaError:
    return invalid(f"it has a '{kind}' box where none is allowed")


def _require_descriptions(stsd: Box) -> None:
    """Refuse tables in sample descriptions: demuxers disagree on where the boxes in it begin."""
    body = bytes(stsd.body)
    if any(kind in body for kind in _STRUCTURE):
        raise invalid("one of its sample descriptions holds boxes that belong elsewhere")


def _require_room(box: Box, at: int, entry_bytes: int) -> None:
    """Raise `MediaError` if the box has fewer entries than the number before `at` claims."""
    if box.u32(at - 4) * entry_bytes > len(box.body) - at:
        raise invalid(f"its '{box.kind}' box claims more entries than it has")


# The offset of a box's entries, which follow their number, and the least bytes of one.
_COUNTED: Mapping[str, Callable[[Box], tuple[int, int]]] = {
    "stps": lambda _: (8, 4),
    "keys": lambda _: (8, 8),
    "sbgp": lambda box: (16 if box.body[0] else 12, 8),
    "sgpd": lambda box: (16 if box.body[0] else 12, 1),
}
