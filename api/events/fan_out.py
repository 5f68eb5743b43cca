"""The fan-out: each new event to the clients that want it, each with a bounded queue."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from enum import StrEnum
from typing import NamedTuple, TypeVar

from api.events.entries import Entry
from api.events.follower import Batch
from api.events.positions import EventId, Positions
from api.events.selection import Selection

_T = TypeVar("_T")

# Events that wait for one client.
QUEUE = 256
# Events that are queued before clients get a turn, and those that wait for that at most.
_BIT, _MOST_PENDING = QUEUE // 4, 20_000
# Seconds for which all wait for a client whose queue is half full, and after which they look again.
_PATIENCE, _TURN = 0.25, 0.01
# Events that are taken at a time: more would fill the buffer of a connection.
_TAKEN = 32


class Ending(StrEnum):
    """Why no more events follow on a subscription."""

    # The client is too slow: it goes on after the last event that it has.
    RESET = "reset"
    # This process stops.
    BYE = "bye"
    # The client has left.
    GONE = "gone"


class Message(NamedTuple):
    """An event as it is sent to clients."""

    id: EventId
    frame: bytes


class Subscription:
    """The events of one client that are yet to be sent; used in the event loop alone."""

    def __init__(self, selection: Selection, *, most: int = QUEUE) -> None:
        self.selection = selection
        self.ending: Ending | None = None
        self._most = most
        self._queue: deque[Message] = deque()
        self._seen: Positions | None = None
        self._news: asyncio.Future[None] | None = None
        self._wanted = 1

    def offer(self, message: Message) -> None:
        """Queue an event; if there is no place, end with RESET after those in the queue."""
        if self.ending is not None or (self._seen is not None and self._seen.has(message.id)):
            return
        if len(self._queue) >= self._most:
            self.end(Ending.RESET)
            return
        self._queue.append(message)
        if len(self._queue) >= self._wanted:
            self._wake()

    def end(self, ending: Ending) -> None:
        """Queue nothing more; what is queued can still be taken."""
        if self.ending is None:
            self.ending = ending
        self._wake()

    def skip(self, seen: Positions) -> None:
        """Leave out the events that the client has already, up to these positions."""
        self._seen = seen
        self._queue = deque(each for each in self._queue if not seen.has(each.id))

    async def take(self, seconds: float) -> Sequence[Message]:
        """Return what is queued first, waiting up to these seconds for an event or the end."""
        await self._await(1, seconds)
        return [self._queue.popleft() for _ in range(min(_TAKEN, len(self._queue)))]

    async def gather(self, seconds: float) -> None:
        """Wait so long that events can be sent together; not if some are left, or many come."""
        # What was sent is on its way before more is.
        await asyncio.sleep(0)
        await self._await(min(_TAKEN, self._most // 2), seconds)

    @property
    def crowded(self) -> bool:
        """Whether the queue is more than half full, and more events may end it."""
        return self.ending is None and len(self._queue) > self._most // 2

    async def _await(self, wanted: int, seconds: float) -> None:
        if self.ending is not None or len(self._queue) >= wanted:
            return
        loop = asyncio.get_running_loop()
        self._wanted = wanted
        self._news = loop.create_future()
        timer = loop.call_later(seconds, self._wake)
        try:
            await self._news
        finally:
            timer.cancel()
            self._news = None

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)


class FanOut:
    """All subscriptions of a process; used in the event loop alone.

    `render` writes an event as clients get it, once for all of them.
    """

    def __init__(self, render: Callable[[Entry], bytes]) -> None:
        self.render = render
        self._by_tenant: defaultdict[str, set[Subscription]] = defaultdict(set)
        self._by_job: defaultdict[str, set[Subscription]] = defaultdict(set)
        self._watches: defaultdict[str, set[Watch]] = defaultdict(set)
        # The newest event after a complete read; None until the follower has seen Redis.
        self.frontier: EventId | None = None
        self.ended = False
        self._pending: deque[Entry | EventId] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._patient_until = 0.0

    @contextmanager
    def subscribed(self, selection: Selection, *, most: int = QUEUE) -> Iterator[Subscription]:
        """Give the block a subscription: all wanted events that `publish` gets from now on."""
        subscription = Subscription(selection, most=most)
        if self.ended:
            subscription.end(Ending.BYE)
        sets = self._by_job if selection.job_ids else self._by_tenant
        keys = selection.job_ids or {selection.tenant}
        for key in keys:
            sets[key].add(subscription)
        try:
            yield subscription
        finally:
            for key in keys:
                _discard(sets, key, subscription)

    @contextmanager
    def watched(self, job_id: str) -> Iterator["Watch"]:
        """Give the block a watch of one job: enter it, read the record, then wait for news."""
        watch = Watch(self)
        self._watches[job_id].add(watch)
        try:
            yield watch
        finally:
            _discard(self._watches, job_id, watch)

    def publish(self, batch: Batch) -> None:
        """Queue the events for all who want them: many of them bit by bit, as clients take them."""
        self._pending += batch.entries
        if batch.frontier is not None:
            self._pending.append(batch.frontier)
        if len(self._pending) > _MOST_PENDING:
            self._pending.clear()
            self.frontier = batch.frontier or self.frontier
            self._end(Ending.RESET)
        if self._timer is None:
            self._pump()

    def _pump(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        crowded = len(self._pending) > _BIT and any(each.crowded for each in self._all())
        if crowded and loop.time() < self._patient_until:
            self._timer = loop.call_later(_TURN, self._pump)
            return
        for _ in range(min(_BIT, len(self._pending))):
            item = self._pending.popleft()
            if isinstance(item, EventId):
                self.frontier = item
            else:
                self._publish(item)
        # A client that takes nothing does not hold the others up for longer.
        self._patient_until = loop.time() + _PATIENCE
        if self._pending:
            self._timer = loop.call_later(0.0, self._pump)

    def end(self) -> None:
        """End all subscriptions, those to come too, and all waits."""
        self.ended = True
        self._end(Ending.BYE)

    def _end(self, ending: Ending) -> None:
        for subscription in self._all():
            subscription.end(ending)
        for watches in self._watches.values():
            for watch in watches:
                watch.wake()

    def _all(self) -> Set[Subscription]:
        return set().union(*self._by_tenant.values(), *self._by_job.values())

    @property
    def is_wanted(self) -> bool:
        """Whether anybody waits for events; safe to ask in another thread."""
        return bool(self._by_tenant or self._by_job or self._watches)

    def __len__(self) -> int:
        """Return how many subscriptions there are."""
        return len(self._all())

    def _publish(self, entry: Entry) -> None:
        job_id = entry.event["id"]
        for watch in self._watches.get(job_id, ()):
            watch.wake()
        message: Message | None = None
        for sets, key in ((self._by_tenant, entry.tenant), (self._by_job, job_id)):
            for subscription in sets.get(key, ()):
                if subscription.selection.has(entry):
                    message = message or Message(entry.id, self.render(entry))
                    subscription.offer(message)


class Watch:
    """A watch of one job."""

    def __init__(self, fan_out: FanOut) -> None:
        self._fan_out = fan_out
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Let `wait` return."""
        self._news.set()

    async def wait(self, seconds: float) -> bool:
        """Return True once an event of the job has arrived since the block or the last call began.

        Return False after these seconds, or if this process stops.
        """
        try:
            async with asyncio.timeout(0.0 if self._fan_out.ended else seconds):
                await self._news.wait()
        except TimeoutError:
            return False
        self._news.clear()
        return not self._fan_out.ended


def _discard(sets: defaultdict[str, set[_T]], key: str, member: _T) -> None:
    sets[key].discard(member)
    if not sets[key]:
        del sets[key]
