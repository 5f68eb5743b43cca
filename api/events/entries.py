"""The events of all shards as they are read from Redis, and what the streams still keep."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from redis import Redis
from redis.exceptions import ResponseError

from api.events.positions import BEGINNING, Cursor, EventId, Place, Positions
from webhook.shards import all_keys
from worker.jobs.change import Event
from worker.jobs.events import Entry as RawEntry
from worker.jobs.events import place
from worker.jobs.store import EVENTS, EVENTS_KEPT

# The tenant of an event that names none.
DEFAULT_TENANT = "default"


class Entry(NamedTuple):
    """An event and its id; entries are ordered by time."""

    id: EventId
    event: Event

    @property
    def tenant(self) -> str:
        """The tenant of the job."""
        return self.event.get("tenant") or DEFAULT_TENANT


def merged(read: Mapping[int, Sequence[RawEntry]]) -> Sequence[Entry]:
    """Return what was read of each shard as one list, by time."""
    return sorted(
        (
            Entry(EventId(*place(entry), shard), event)
            for shard, entries in read.items()
            for entry, event in entries
        ),
        key=_by_id,
    )


def _by_id(entry: Entry) -> EventId:
    return entry.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a stream keeps: the places of its `first` and `last` entry, or of the last it ever had.

    `trimmed` says whether there were earlier ones, which it has forgotten.
    """

    first: Place | None
    last: Place
    trimmed: bool

    def lacks(self, since: Place) -> bool:
        """Return whether it has forgotten an entry after that place, or may have."""
        return self.trimmed and self.first is not None and self.first > since


_NOTHING = Kept(first=None, last=BEGINNING, trimmed=False)


def kept(redis: Redis) -> Sequence[Kept]:
    """Return what the stream of each shard keeps, in one round trip."""
    with redis.pipeline(transaction=False) as calls:
        for key in all_keys(EVENTS):
            calls.xinfo_stream(key)
        answers = calls.execute(raise_on_error=False)
    return [_kept(answer) for answer in answers]


def _kept(answer: object) -> Kept:
    if isinstance(answer, ResponseError) and "no such key" in str(answer):
        return _NOTHING
    if isinstance(answer, Exception):
        raise answer
    info = cast(dict[str, Any], answer)
    length = info["length"]
    first = info["first-entry"]
    # Before Redis 7.0 it does not say how many there were.
    ever = info.get("entries-added", length + 1 if length >= EVENTS_KEPT else length)
    return Kept(
        first=place(first[0]) if first else None,
        last=place(info["last-generated-id"]),
        trimmed=ever > length,
    )


def oldest(streams: Iterable[Kept]) -> Positions:
    """Return the positions of a reader who has yet to read all that is kept."""
    return Positions(tuple(_before(each.first) if each.first else each.last for each in streams))


def newest(streams: Iterable[Kept]) -> Positions:
    """Return the positions of a reader who has read everything."""
    return Positions(tuple(each.last for each in streams))


def settled(cursor: Cursor, streams: Sequence[Kept]) -> tuple[Positions, bool]:
    """Return where the client goes on, and whether there is a gap: events that nobody has any more.

    There is one if a stream has forgotten what follows, and also if Redis does not have the last
    event that the client has seen: it was restored from a copy, or another server was elected.
    """
    if cursor == Cursor():
        return oldest(streams), False
    pairs = list(zip(cursor.positions.places, streams, strict=True))
    gap = any(stream.lacks(since) for since, stream in pairs)
    if cursor.event is not None:
        gap = gap or streams[cursor.event.shard].last < cursor.event.place
    else:
        gap = gap or any(stream.last < since for since, stream in pairs)
    # Never ahead of a stream: events to come would count as seen.
    return Positions(tuple(min(since, stream.last) for since, stream in pairs)), gap


def _before(first: Place) -> Place:
    ms, seq = first
    return (ms, seq - 1) if seq else (ms - 1, (1 << 64) - 1)
