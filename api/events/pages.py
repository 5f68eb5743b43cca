"""Pages of events: each event once, by time, in a bounded number of reads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from redis import Redis

from api.events.entries import Entry, merged
from api.events.positions import EventId, Place, Positions
from worker.jobs.events import read_entries

MOST = 500
# Reads for one page, each of all streams that may have more.
_READS = 8
# Entries that one read takes of each stream.
_FEWEST, _MOST_READ = 16, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Events, the oldest first; the next page begins at `after`.

    `more` says whether the next page can be read at once; `last` is the id of the last event that
    was looked at, wanted or not, or None if there was none.
    """

    entries: Sequence[Entry]
    after: Positions
    more: bool
    last: EventId | None


def read_page(
    redis: Redis, after: Positions, *, wanted: Callable[[Entry], bool], limit: int = 100
) -> Page:
    """Return the next events that are `wanted`, at most `limit`.

    The page may have fewer, also none, although there are more: a call reads a bounded number of
    events, and its `after` is behind those it read. Raises redis.RedisError.
    """
    count = min(_MOST_READ, max(_FEWEST, limit // 8))
    found: list[Entry] = []
    last: EventId | None = None
    more = True
    for _ in range(_READS):
        entries, more = _next(redis, after, count)
        taken = _until(entries, wanted, limit - len(found))
        if taken:
            last = taken[-1].id
            after = after.after(_places(taken))
        found += filter(wanted, taken)
        more = more or len(taken) < len(entries)
        if not more or len(found) == limit:
            break
    return Page(entries=found, after=after, more=more, last=last)


def _next(redis: Redis, after: Positions, count: int) -> tuple[Sequence[Entry], bool]:
    """Return the next entries by time, and whether there may be more.

    A stream of which all `count` were read may go on with entries older than those of another:
    what follows its last one has to wait.
    """
    read = read_entries(redis, after.entries(), count)
    entries = merged(read)
    full = [merged({shard: part[-1:]})[0].id for shard, part in read.items() if len(part) == count]
    if not full:
        return entries, False
    horizon = min(full)
    return [entry for entry in entries if entry.id <= horizon], True


def _until(entries: Sequence[Entry], wanted: Callable[[Entry], bool], most: int) -> Sequence[Entry]:
    """Return the entries up to the one that is the last wanted one of `most`."""
    left = most
    for at, entry in enumerate(entries):
        left -= wanted(entry)
        if not left:
            return entries[: at + 1]
    return entries


def _places(entries: Sequence[Entry]) -> dict[int, Place]:
    """Return the last place of each shard; the entries are in order."""
    return {entry.id.shard: entry.id.place for entry in entries}
