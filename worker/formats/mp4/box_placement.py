"""Which box may stand where, how often, and that it has what it counts (ISO/IEC 14496-12, table 1).

A demuxer takes what it meets wherever it stands, the last of two, and room for as many entries as
a box claims: ffmpeg has one table of boxes for all places (libavformat/mov.c). What the preflight
weighed must therefore be all that there is to find.
"""

from collections.abc import Callable, Iterator, Mapping

from worker.formats.errors import MediaError
from worker.formats.mp4.boxes import CONTAINERS, Box, Extent, Walk, invalid, unhandled

ROOT = ""
_ONE: Mapping[str, str] = {
    ROOT: "moov",
    "moov": "mvhd mvex",
    "trak": "tkhd mdia edts tref",
    "mdia": "mdhd hdlr minf",
    "minf": "stbl dinf hdlr",
    "dinf": "dref",
    "edts": "elst",
    "stbl": "stsd stts ctts stsc stsz stco co64 stss stps sdtp",
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
_ELSEWHERE = frozenset({"cmov", "hoov", "rmra", "rmda"})  # another movie header, packed or far
_STILLS = frozenset({"iinf", "iloc", "iprp", "iref", "pitm"})
_ENCRYPTION = frozenset({"pssh", "senc", "saiz", "saio"})
_HALVED = frozenset({"stz2"})  # a second way to tell samples' sizes, which no encoder here writes
_ALSO_ENTERED = frozenset({"udta", "tref", "ilst", "sinf", "schi"})


def _parents(*tables: Mapping[str, str]) -> dict[str, frozenset[str]]:
    pairs = [
        (kind, at) for table in tables for at, kinds in table.items() for kind in kinds.split()
    ]
    return {kind: frozenset(at for held, at in pairs if held == kind) for kind, _ in pairs}


_PARENTS = _parents(_ONE, _MANY)
_SINGLE = {at: frozenset(kinds.split()) for at, kinds in _ONE.items()}
_ROOTLESS = _ALSO_ENTERED | CONTAINERS - {"moov", "moof"}
# Names that no text and no parameter set of a sample description holds but by intent.
_STRUCTURE = [
    kind.encode()
    for kind in sorted(_PARENTS.keys() | _ELSEWHERE | _STILLS | _HALVED)
    if kind not in {"meta", "udta", "ilst", "keys", "hdlr", "sidx"}
]


def require_root(extents: tuple[Extent, ...]) -> None:
    """Return if each of the top-level boxes may stand at the top level."""
    for extent in extents:
        _require_place(extent.kind, ROOT)
        if extent.kind in _ROOTLESS:
            raise _misplaced(extent.kind)


def require_inside(held: Box, walk: Walk, depth: int = 1) -> None:
    """Return if each box in this one stands where it may, as often as it may, and has its entries.

    Raises `MediaError`: media_invalid, or media_unsupported where samples are encrypted.
    """
    seen: set[str] = set()
    for child in _children(held, walk, depth):
        _require_place(child.kind, held.kind)
        if child.kind in seen & _SINGLE.get(held.kind, frozenset()):
            raise invalid(f"it has more than one '{child.kind}' box where one belongs")
        seen.add(child.kind)
        if count := _COUNTED.get(child.kind):
            _require_room(child, *count(child))
        if child.kind == "stsd":
            _require_descriptions(child)
        require_inside(child, walk, depth + 1)
    if {"stco", "co64"} <= seen:
        raise invalid("it has more than one table of chunk offsets in a track")


def _children(held: Box, walk: Walk, depth: int) -> tuple[Box, ...]:
    if held.kind in CONTAINERS:
        return held.children
    if held.kind in _ALSO_ENTERED:
        return walk.boxes(held.body, depth)
    return tuple(_of_meta(held, walk, depth)) if held.kind == "meta" else ()


def _of_meta(meta: Box, walk: Walk, depth: int) -> Iterator[Box]:
    """In MP4 version and flags come first, in QuickTime not: demuxers look for the handler."""
    head = bytes(meta.body[:12])
    if (at := head.find(b"hdlr")) in {4, 8}:
        yield from walk.boxes(meta.body[at - 4 :], depth)
    elif b"hdlr" in bytes(meta.body):
        raise invalid("one of its 'meta' boxes does not begin with its handler")


def _require_place(kind: str, parent: str) -> None:
    if kind in _ELSEWHERE:
        raise invalid("its movie header is compressed or refers to other files")
    if kind in _ENCRYPTION:
        raise unhandled("its samples are encrypted")
    if kind in _STILLS | _HALVED or parent not in _PARENTS.get(kind, {parent}):
        raise _misplaced(kind)


def _misplaced(kind: str) -> MediaError:
    return invalid(f"it has a '{kind}' box where none belongs")


def _require_descriptions(stsd: Box) -> None:
    """No table stands in a sample description: demuxers disagree where the boxes in it begin."""
    body = bytes(stsd.body)
    if any(kind in body for kind in _STRUCTURE):
        raise invalid("one of its sample descriptions holds boxes that belong elsewhere")


def _require_room(held: Box, at: int, each: int) -> None:
    """Return if the box has the entries that the number before `at` claims, of so many bytes."""
    if held.u32(at - 4) * each > len(held.body) - at:
        raise invalid(f"its '{held.kind}' box claims more entries than it has")


# Where the entries of a box begin, after their number, and the least bytes of one.
_COUNTED: Mapping[str, Callable[[Box], tuple[int, int]]] = {
    "stps": lambda _: (8, 4),
    "keys": lambda _: (8, 8),
    "sbgp": lambda held: (16 if held.body[0] else 12, 8),
    "sgpd": lambda held: (16 if held.body[0] else 12, 1),
}
