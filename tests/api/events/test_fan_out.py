"""Events on their way from the follower to clients."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from api.events.entries import Entry
from api.events.fan_out import QUEUE, Ending, FanOut, Subscription
from api.events.follower import Batch
from api.events.positions import START, EventId
from api.events.selection import Selection
from webhook.shards import shard_of

OURS = Selection(tenant="default")


def entry(number: int, job: str = "job1", tenant: str = "", name: str = "a") -> Entry:
    """Return an event of a job; `number` is its time."""
    event = {"id": job, "name": name, "from": "QUEUED", "to": "QUEUED"}
    whose = {"tenant": tenant} if tenant else {}
    return Entry(EventId(number, 0, shard_of(job)), {**event, **whose})


def fan_out() -> FanOut:
    """Return a fan-out that renders an event as its time."""
    return FanOut(lambda entry: f"{entry.id.ms} ".encode())


def publish(to: FanOut, *entries: Entry) -> None:
    """Publish these events as one batch."""
    to.publish(Batch(entries=entries))


async def taken(subscription: Subscription) -> str:
    """Return what is queued."""
    return b"".join(each.frame for each in await subscription.take(0.0)).decode()


def test_clients_get_what_they_want() -> None:
    """Those of a tenant get its events, those of jobs only theirs; nobody gets another tenant's."""

    async def run() -> Sequence[str]:
        to = fan_out()
        one = Selection(tenant="default", job_ids=frozenset({"job1", "theirs"}))
        named = Selection(tenant="acme", names=frozenset({"b"}))
        with (
            to.subscribed(OURS) as all_of_ours,
            to.subscribed(one) as job,
            to.subscribed(named) as theirs,
        ):
            publish(to, entry(1), entry(2, "job2"), entry(3, "theirs", "acme"))
            publish(to, entry(4, "theirs", "acme", "b"))
            return [await taken(each) for each in (all_of_ours, job, theirs)]

    assert ["1 2 ", "1 ", "4 "] == asyncio.run(run())


async def drained(subscription: Subscription) -> str:
    """Return all that is queued, bit by bit."""
    return "".join([part async for part in aiter_taken(subscription)])


async def aiter_taken(subscription: Subscription) -> AsyncIterator[str]:
    """Yield what is queued until nothing is."""
    while part := await taken(subscription):
        yield part


def test_a_client_that_is_too_slow_gets_all_that_was_queued_and_is_reset() -> None:
    """The queue is bounded, and what comes after it is not sent, also if there is room again."""

    async def run() -> tuple[str, str]:
        to = fan_out()
        with to.subscribed(OURS) as slow:
            publish(to, *map(entry, range(1_000)))
            while slow.ending is None:  # noqa: ASYNC110
                await asyncio.sleep(0)  # lets the loop publish the next part
            queued = await drained(slow)
            publish(to, entry(2_000))
            assert Ending.RESET == slow.ending
            return queued, await drained(slow)

    expected = "".join(f"{number} " for number in range(QUEUE))
    assert (expected, "") == asyncio.run(asyncio.wait_for(run(), 20))


def test_many_events_at_once_reset_no_client_that_reads() -> None:
    """They are queued bit by bit, also if another client takes nothing."""

    async def run() -> str:
        to = fan_out()
        with to.subscribed(OURS) as reads, to.subscribed(OURS) as stuck:
            publish(to, *map(entry, range(2_000)))
            found = ""
            while not found.endswith("1999 "):
                found += "".join(each.frame.decode() for each in await reads.take(20.0))
                assert reads.ending is None
            assert Ending.RESET == stuck.ending
            return found

    expected = "".join(f"{number} " for number in range(2_000))
    assert expected == asyncio.run(asyncio.wait_for(run(), 60))


def test_more_events_than_can_wait_reset_all_clients() -> None:
    """They go on where they are, from what Redis keeps; waits for jobs look at the record."""

    async def run() -> tuple[Ending | None, bool, EventId | None]:
        to = fan_out()
        with to.subscribed(OURS) as client, to.watched("job2") as watch:
            frontier = entry(30_000).id
            to.publish(Batch(entries=[*map(entry, range(30_000))], frontier=frontier))
            return client.ending, await watch.wait(0.0), to.frontier

    assert (Ending.RESET, True, entry(30_000).id) == asyncio.run(run())


def test_what_the_backlog_had_is_not_sent_again() -> None:
    """Events up to the positions are left out, whether they were queued before or come later."""

    async def run() -> str:
        to = fan_out()
        with to.subscribed(OURS) as late:
            publish(to, entry(1), entry(5))
            late.skip(START.after({shard_of("job1"): (3, 0)}))
            publish(to, entry(3), entry(4), entry(2, "job2"))
            return await taken(late)

    assert "5 4 2 " == asyncio.run(run())


def test_a_client_wakes_up_for_an_event_and_gathers_until_its_queue_is_half_full() -> None:
    """Or many events wait: neither waits for its time to pass."""

    async def run() -> list[str]:
        to = fan_out()
        with to.subscribed(OURS, most=4) as client:
            waits = asyncio.create_task(client.take(60.0))
            await asyncio.sleep(0)
            publish(to, entry(1))
            first = await waits
            gathers = asyncio.create_task(client.gather(60.0))
            await asyncio.sleep(0)
            publish(to, entry(2))
            await asyncio.sleep(0)
            assert not gathers.done()
            publish(to, entry(3))
            await gathers
            return [first[0].frame.decode(), await taken(client)]

    assert ["1 ", "2 3 "] == asyncio.run(asyncio.wait_for(run(), 20))


def test_the_end_reaches_clients_that_wait_and_those_to_come() -> None:
    """All end with BYE, and no wait for a job goes on."""

    async def run() -> list[object]:
        to = fan_out()
        with to.subscribed(OURS) as client, to.watched("job1") as watch:
            waits = asyncio.create_task(client.take(60.0)), asyncio.create_task(watch.wait(60.0))
            await asyncio.sleep(0)
            to.end()
            ended = [*await asyncio.gather(*waits), client.ending]
        with to.subscribed(OURS) as late, to.watched("job1") as watch:
            return [*ended, late.ending, await watch.wait(60.0), len(to)]

    expected = [[], False, Ending.BYE, Ending.BYE, False, 1]
    assert expected == asyncio.run(asyncio.wait_for(run(), 20))


def test_a_wait_for_a_job_ends_with_its_next_event() -> None:
    """Also if the event came before the wait, in the block; another job's event does not count."""

    async def run() -> list[bool]:
        to = fan_out()
        with to.watched("job1") as watch:
            publish(to, entry(1))
            before = await watch.wait(60.0)
            publish(to, entry(2, "job2"))
            return [before, await watch.wait(0.01)]

    assert [True, False] == asyncio.run(asyncio.wait_for(run(), 20))


def test_nothing_is_left_of_clients_that_have_gone() -> None:
    """Subscriptions and watches end with their blocks."""

    async def run() -> tuple[int, dict[str, object]]:
        to = fan_out()
        one = Selection(tenant="default", job_ids=frozenset({"job1"}))
        with to.subscribed(OURS), to.subscribed(one), to.watched("job1"):
            assert 2 == len(to)
        left = {**to._by_tenant, **to._by_job, **to._watches}
        return len(to), left

    assert (0, {}) == asyncio.run(run())
