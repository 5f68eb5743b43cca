"""The follower: one thread of a process that reads new events and hands them on."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from redis import Redis
from redis.exceptions import RedisError

from api.events.entries import Entry, merged
from api.events.positions import MARGIN, EventId
from webhook.log import get_logger
from webhook.shards import SHARDS
from worker.jobs.bells import Bells
from worker.jobs.events import newest_entries, place, read_entries

# Seconds in which `stop` returns. A command that hangs is then left to its own timeout.
STOP = 2.0
# Seconds for which a bell is awaited at a time, and after which Redis is tried again.
_TURN = 0.5
# Seconds for which bells are gathered after one rang.
_GATHER = 0.05
# Seconds for which bells are heard after the last client left.
_HEARD = 30.0
# Seconds between two reads of all streams: not every event rings a bell.
_EVERY = 0.5
# Entries of one stream that are read at a time.
_COUNT = 500
# Events that are remembered as handed on.
_REMEMBERED = 10_000

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """New events by time. After a read of all streams it has its `frontier`, the newest event.

    Whoever has all batches up to it misses no event that is older by the MARGIN of positions.
    """

    entries: Sequence[Entry]
    frontier: EventId | None = None


class Follower:
    """Hands each event to `hand`, in its own thread, from the moment at which it started.

    Bells say which streams have news; twice a second all are read, and only then while the events
    are not `wanted`, which may change at any time. After a while without a client the bells are not
    heard either: each one costs a creation a tenth of its time. While a server of Redis is away,
    nothing is handed on, also not from the others: an event that is handed on is at most about a
    second newer than any that is still to come. Then the follower goes on where it was; or a little
    before, since a server that was elected may count from less, and passes over what it has had.
    """

    def __init__(
        self,
        redis: Redis,
        hand: Callable[[Batch], object],
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        self._redis = redis
        self._hand = hand
        self._wanted = wanted
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        # The ids of entries after which the streams are read: at the start, and next.
        self._first: Mapping[int, str] = {}
        self._last: dict[int, str] = {}
        self._handed: dict[EventId, None] = {}
        self._unread: set[int] = set()
        # When all streams must be read, and when they were, in monotonic seconds.
        self._due = 0.0
        self._complete = time.monotonic()
        self._away = False
        self._wanted_at = float("-inf")

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, within STOP seconds; nothing is handed on afterwards."""
        self._ending.set()
        self._thread.join(STOP)

    @property
    def behind(self) -> float:
        """Seconds since all streams were read; about one at most while Redis is there."""
        return time.monotonic() - self._complete

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                with Bells(self._redis, range(SHARDS)) as bells:
                    self._follow(bells)
            except Exception as error:  # noqa: BLE001  # every stream of the process depends on it
                self._stall(error)

    def _follow(self, bells: Bells) -> None:
        if not self._first:
            self._first = newest_entries(self._redis)
            self._last = dict(self._first)
        elif self._away:
            self._last = {
                n: max(_rewound(self._last[n]), self._first[n], key=place) for n in self._last
            }
        while not self._ending.is_set():
            left = 0.0 if self._unread else self._due - time.monotonic()
            rung = self._rung(bells, max(0.0, min(_TURN, left)))
            complete = time.monotonic() >= self._due
            self._read(range(SHARDS) if complete else rung | self._unread, complete=complete)

    def _rung(self, bells: Bells, seconds: float) -> set[int]:
        """Return the shards whose bells rang within these seconds, if their events are wanted."""
        if self._wanted():
            self._wanted_at = time.monotonic()
        elif time.monotonic() - self._wanted_at > _HEARD:
            bells.rest()
            self._ending.wait(seconds)
            return set()
        rung = bells.wait(seconds)
        if not (rung and self._wanted()):
            return set()
        # Bells that ring together are one read.
        self._ending.wait(_GATHER)
        return rung | bells.wait(0.0)

    def _read(self, shards: Sequence[int] | set[int], *, complete: bool) -> None:
        if not shards:
            return
        began = time.monotonic()
        read = read_entries(self._redis, {shard: self._last[shard] for shard in shards}, _COUNT)
        self._last |= {shard: entries[-1][0] for shard, entries in read.items() if entries}
        self._unread = {shard for shard, entries in read.items() if len(entries) == _COUNT}
        frontier = None
        if complete and not self._unread:
            self._due = began + _EVERY
            self._complete = began
            frontier = _newest(self._last)
            self._is_back()
        entries = self._new(merged(read))
        if not self._ending.is_set() and (frontier or entries):
            self._hand(Batch(entries=entries, frontier=frontier))

    def _new(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Return the entries without those that were handed on before."""
        new = [entry for entry in entries if entry.id not in self._handed]
        self._handed |= dict.fromkeys(entry.id for entry in new)
        while len(self._handed) > _REMEMBERED:
            del self._handed[next(iter(self._handed))]
        return new

    def _stall(self, error: Exception) -> None:
        # Nothing is handed on until all streams can be read again.
        self._due = 0.0
        self._unread = set()
        if not self._away:
            unexpected = not isinstance(error, RedisError | OSError)
            log.warning("events.stalled", error=type(error).__name__, exc_info=unexpected)
        self._away = True
        self._ending.wait(_TURN)

    def _is_back(self) -> None:
        if self._away:
            self._away = False
            log.info("events.resumed")


def _rewound(entry: str) -> str:
    return f"{max(0, place(entry)[0] - MARGIN)}-0"


def _newest(last: Mapping[int, str]) -> EventId:
    return max(EventId(*place(entry), shard) for shard, entry in last.items())
