"""The worker's side of the inbox on a real Redis: nothing leaves it before it is known."""

from collections.abc import Iterator

import pytest
from redis import Redis

from tests.factories.world import ManualClock, callback
from webhook.contract import INBOX, inbox_key
from webhook.shards import key_of
from worker.steps.inbox import WAKE_AGAIN, InboxReader


@pytest.fixture
def raw(redis_url: str) -> Iterator[Redis]:
    """A client as the receiver's."""
    with Redis.from_url(redis_url) as redis:
        yield redis


@pytest.fixture
def clock() -> ManualClock:
    """Time that stands."""
    return ManualClock()


@pytest.fixture
def inbox(raw: Redis, clock: ManualClock) -> InboxReader:
    """The inbox of an empty Redis."""
    return InboxReader(raw, clock=clock)


def put(raw: Redis, clock: ManualClock, *numbers: int) -> None:
    """Write callbacks down as the receiver does."""
    for number in numbers:
        each = callback(attempt=number, received_at=float(-number))
        raw.hsetnx(inbox_key("job1"), each.fingerprint, each.encode())
        raw.zadd(key_of("job1", INBOX), {"job1": clock()}, nx=True)


def test_callbacks_come_oldest_first_and_whole(
    inbox: InboxReader, raw: Redis, clock: ManualClock
) -> None:
    """Each callback is what the receiver wrote, in the order of arrival."""
    put(raw, clock, 1, 2, 3)
    assert [3, 2, 1] == [each.attempt for each in inbox.callbacks("job1")]
    assert callback().body == inbox.callbacks("job1")[0].body


def test_the_job_stays_pending_until_its_last_callback_left(
    inbox: InboxReader, raw: Redis, clock: ManualClock
) -> None:
    """A callback that came meanwhile keeps the job in the set of pending ones."""
    put(raw, clock, 1, 2)
    first, second = inbox.callbacks("job1")
    inbox.remove("job1", first)
    assert [b"job1"] == raw.zrange(key_of("job1", INBOX), 0, -1)
    inbox.remove("job1", second)
    assert ([], 0) == (raw.zrange(key_of("job1", INBOX), 0, -1), raw.exists(inbox_key("job1")))


def test_what_was_woken_is_due_again_later(
    inbox: InboxReader, raw: Redis, clock: ManualClock
) -> None:
    """A pending callback is woken again and again until somebody takes it, with time between."""
    put(raw, clock, 1)
    assert ["job1"] == inbox.overdue(10)
    assert [] == inbox.overdue(10)
    clock.forward(WAKE_AGAIN)
    assert ["job1"] == inbox.overdue(10)


def test_waking_does_not_bring_back_what_left(
    inbox: InboxReader, raw: Redis, clock: ManualClock
) -> None:
    """A job that is done between the look and the postponement is not pending again."""
    put(raw, clock, 1)
    inbox.remove("job1", inbox.callbacks("job1")[0])
    inbox.overdue(10)
    assert 0 == raw.zcard(key_of("job1", INBOX))
