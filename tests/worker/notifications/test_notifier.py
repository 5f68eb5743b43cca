"""From a change of state to its receivers: real Redis, real HTTP."""

import json
import time
from dataclasses import replace

import pytest

from tests.factories.notifications import (
    PUBLISHED,
    LoopbackSettings,
    Told,
    attempts_of,
    told,
)
from tests.factories.receivers_of_webhooks import OK, Received, Reply, receiver
from tests.factories.world import ManualClock
from webhook.contract import JOB_ID
from webhook.shards import all_keys, key_of, shard_of
from worker.jobs.job import JobState
from worker.jobs.store import OWED, job_key
from worker.notifications.dead import Dead, dead_deliveries
from worker.notifications.endpoint import Kind, State, endpoint_key
from worker.notifications.event_types import JOB_TYPES
from worker.notifications.history import DeliveryState
from worker.notifications.lanes import LEASE
from worker.notifications.outbox import LANES
from worker.notifications.schedule import DAY, DEAD_KEPT, HOUR, WAITS

S = JobState


def owed(deployment: Told) -> list[str]:
    """Return the lines in the outbox."""
    return [str(line) for key in all_keys(OWED) for line in deployment.redis.zrange(key, 0, -1)]


def test_a_receiver_is_told_of_the_end(deployment: Told, clock: ManualClock) -> None:
    """The message says what happened to which job, and the reference library verifies it."""
    with receiver() as target:
        endpoint, keys = deployment.add(target.url)
        deployment.fail("job1", metadata={"order": "4711"}, estimate={"usd": "1.40"})
        deployment.notifier.run()
    [request] = target.received
    content = request.content
    assert ("job.failed", "2023-11-14T22:13:20.000Z") == (content["type"], content["timestamp"])
    assert {
        "id": "job1",
        "n": 1,
        "state": "FAILED",
        "previous_state": "QUEUED",
        "tenant": "default",
        "endpoint": "fal-ai/kling-video/v2.1/master/text-to-video",
        "metadata": {"order": "4711"},
        "cost": {"usd": "1.40", "estimated": True},
        "reason": "fal_422",
        "sentence": "fal refused it",
        "files": [],
        "links": {"job": "https://api.example.com/v1/jobs/job1"},
    } == content["data"]
    assert content == request.verified(keys.secret)
    [delivery] = deployment.deliveries().values()
    expected = (DeliveryState.DELIVERED, [(200, "")], endpoint.id)
    assert expected == (delivery.state, attempts_of(delivery), delivery.endpoint)
    assert [] == owed(deployment)
    clock.forward(60)
    deployment.notifier.run()
    assert {} == deployment.due()


def test_filters_choose_the_events(deployment: Told) -> None:
    """An endpoint with `job.*` is told of every change, in numbers that grow; others of theirs."""
    with receiver() as every, receiver() as ends, receiver() as foreign:
        deployment.add(every.url, events=["job.*"])
        deployment.add(ends.url)
        deployment.add(foreign.url, tenant="another")
        deployment.create("job1")
        deployment.move("job1", *PUBLISHED[:-1])
        deployment.move("job1", S.FAILED)
        deployment.notifier.run()
    told_of = [each.content["type"] for each in every.received]
    states = ["queued", "submitting", "submitted", "rendered", "downloaded", "tagged", "failed"]
    assert sorted(f"job.{state}" for state in states) == sorted(told_of)
    assert set(told_of) < set(JOB_TYPES)
    numbers = {each.content["data"]["n"]: each.content["type"] for each in every.received}
    assert [f"job.{state}" for state in states] == [numbers[n] for n in range(1, 8)]
    assert ["job.failed"] == [each.content["type"] for each in ends.received]
    assert [] == foreign.received


def test_a_job_without_receivers_costs_nothing(deployment: Told) -> None:
    """Its record has no further field, nothing is owed, and no message is sent."""
    deployment.add("http://localhost:1/", tenant="another")
    deployment.fail("job1")
    record = deployment.redis.hgetall(job_key("job1"))
    assert set() == {"owes", "told", "notify"} & record.keys()
    assert ([], []) == (owed(deployment), deployment.wakes)


def test_one_message_wakes_for_many_events(deployment: Told) -> None:
    """While a message is on its way, further events send none."""
    deployment.add("http://localhost:1/")
    for number in range(5):
        deployment.fail(f"job{number}")
    assert ["notify"] == deployment.wakes


def test_a_worker_takes_the_message() -> None:
    """The check of messages by a worker lets the one that wakes a notifier through."""
    assert JOB_ID.fullmatch(LANES)


def test_a_lost_message_is_found(deployment: Told, clock: ManualClock) -> None:
    """An event that nobody has read for some seconds has the notifier be woken by the sweep."""
    with receiver() as target:
        deployment.add(target.url)
        clock.forward(10)
        deployment.notifier.run()
        deployment.fail("job1")
        assert not deployment.overdue.run()
        deployment.redis.delete("falhook:{notify}:rung")
        clock.forward(5)
        assert deployment.overdue.run()
        assert ["notify", "sweep"] == deployment.wakes
        deployment.notifier.run()
        assert 1 == len(target.received)
        clock.forward(60)
        deployment.notifier.run()
        assert not deployment.overdue.run()


def test_failures_are_repeated_by_the_schedule(deployment: Told, clock: ManualClock) -> None:
    """Ten attempts over three days, with the same id, each signed anew; then it is dead."""
    with receiver(lambda _request: Reply(500, body=b"no disk")) as target:
        _, keys = deployment.add(target.url)
        deployment.fail("job1")
        for attempt, wait in enumerate(WAITS):
            clock.forward(wait * 0.79)
            deployment.notifier.run()
            assert attempt == len(target.received) - (wait == 0)
            clock.forward(wait * 0.42)
            deployment.notifier.run()
            assert attempt + 1 == len(target.received)
        clock.forward(2 * DAY)
        deployment.notifier.run()
    assert (len(WAITS), 1) == (len(target.received), len({each.id for each in target.received}))
    assert all(each.verified(keys.secret) for each in target.received)
    assert 1 == len({each.body for each in target.received})
    [delivery] = deployment.deliveries().values()
    assert (DeliveryState.DEAD, "no disk") == (delivery.state, delivery.answer)
    dead = dead_deliveries(deployment.redis, now=clock.now)
    assert (1, True) == (dead.number, dead.last is not None and dead.last <= clock.now)
    assert 0 == dead_deliveries(deployment.redis, now=clock.now + DEAD_KEPT).number
    assert [(500, "refused")] * len(WAITS) == attempts_of(delivery)
    assert {} == deployment.due()


@pytest.mark.parametrize("status", [301, 400, 404, 409, 422, 500, 503])
def test_every_other_status_is_repeated(deployment: Told, clock: ManualClock, status: int) -> None:
    """Redirects, refusals and errors alike: the next attempt may succeed."""
    replies = [Reply(status, {"Location": "http://localhost:1/"}), OK]
    with receiver(lambda _request: replies.pop(0)) as target:
        deployment.add(target.url)
        deployment.fail("job1")
        deployment.notifier.run()
        clock.forward(7)
        deployment.notifier.run()
    assert 2 == len(target.received)
    [delivery] = deployment.deliveries().values()
    assert DeliveryState.DELIVERED is delivery.state


def test_network_errors_are_repeated(deployment: Told, clock: ManualClock) -> None:
    """A receiver that cannot be reached is tried again, and its error has a class."""
    deployment.add("http://localhost:1/")
    deployment.fail("job1")
    deployment.notifier.run()
    [delivery] = deployment.deliveries().values()
    assert (DeliveryState.WAITING, [(0, "connect")]) == (delivery.state, attempts_of(delivery))
    assert delivery.due_at is not None
    assert 4 <= delivery.due_at - clock.now <= 6


def test_retry_after_holds_the_lane(deployment: Told, clock: ManualClock) -> None:
    """The lane waits as long as a 429 or 503 asks, a day at most."""
    replies = [Reply(429, {"Retry-After": "7200"}), Reply(503, {"Retry-After": "9999999"})]
    with receiver(lambda _request: replies.pop(0) if replies else OK) as target:
        deployment.add(target.url, ordered=True)
        deployment.fail("job1")
        deployment.notifier.run()
        deployment.fail("job2")
        clock.forward(2 * HOUR - 5)
        deployment.notifier.run()
        assert 1 == len(target.received)
        clock.forward(6)
        deployment.notifier.run()
        assert 2 == len(target.received)
        clock.forward(DAY - 5)
        deployment.notifier.run()
        assert 2 == len(target.received)
        clock.forward(6)
        deployment.notifier.run()
    assert ["job1", "job1", "job1", "job2"] == [e.content["data"]["id"] for e in target.received]


def test_gone_disables(deployment: Told, clock: ManualClock) -> None:
    """A 410 disables at once; what waits is dead, others are told, and it can be enabled again."""
    with receiver(lambda _request: Reply(410)) as gone, receiver() as other:
        endpoint, _ = deployment.add(gone.url, ordered=True)
        deployment.add(other.url)
        for number in range(3):
            deployment.fail(f"job{number}")
        deployment.notifier.run()
        deployment.fail("job9")
        deployment.notifier.run()
        assert 1 == len(gone.received)
        found = deployment.endpoints.get(endpoint.id)
        assert found is not None
        assert (State.DISABLED, "gone") == (found.state, found.why)
        mine = deployment.histories.list("default", endpoint=endpoint.id)
        assert [DeliveryState.DEAD] * 3 == [each.state for each in mine]
        [event] = [e.content for e in other.received if e.content["type"] == "endpoint.disabled"]
        assert (endpoint.id, "gone") == (event["data"]["id"], event["data"]["why"])
        assert 5 == len(other.received)
        dead = Dead(number=3, last=clock.now)
        assert dead == dead_deliveries(deployment.redis, now=clock.now)
        gone.answer = lambda _request: OK
        deployment.endpoints.enable(found)
        assert (3, 0) == deployment.histories.resend_since(found, 0)
        assert Dead(number=0, last=None) == dead_deliveries(deployment.redis, now=clock.now)
        clock.forward(2)
        time.sleep(1.1)  # what the notifier knows of endpoints is a second old
        deployment.notifier.run()
    jobs = [each.content["data"]["id"] for each in gone.received[1:]]
    assert ["job0", "job1", "job2"] == jobs


def test_five_days_of_failure_disable(deployment: Told, clock: ManualClock) -> None:
    """An endpoint without a success for five days is disabled at its next failure."""
    with receiver(lambda _request: Reply(500)) as target, receiver() as other:
        endpoint, _ = deployment.add(target.url)
        deployment.add(other.url)
        deployment.fail("job1")
        for _ in range(4):
            deployment.notifier.run()
            clock.forward(DAY)
        deployment.notifier.run()
        found = deployment.endpoints.get(endpoint.id)
        assert found is not None
        assert found.enabled
        clock.forward(DAY + 1)
        deployment.fail("job2")
        deployment.notifier.run()
        found = deployment.endpoints.get(endpoint.id)
    assert found is not None
    assert (State.DISABLED, "failing") == (found.state, found.why)
    assert "endpoint.disabled" in {each.content["type"] for each in other.received}


def test_the_breaker_lets_one_attempt_through(deployment: Told, clock: ManualClock) -> None:
    """After five failures in a row a lane gets one attempt in half a minute, until one succeeds."""
    with receiver(lambda _request: Reply(500)) as target:
        deployment.add(target.url)
        for number in range(30):
            deployment.fail(f"job{number}")
        deployment.notifier.run()
        before = len(target.received)
        assert before <= 15
        for _ in range(3):
            clock.forward(31)
            deployment.notifier.run()
        assert before + 3 == len(target.received)
        target.answer = lambda _request: OK
        clock.forward(31)
        deployment.notifier.run()
        clock.forward(HOUR)
        deployment.notifier.run()
    assert 30 == len({each.id for each in target.received})
    assert {DeliveryState.DELIVERED} == {e.state for e in deployment.deliveries().values()}


def test_an_ordered_endpoint_keeps_the_order(deployment: Told, clock: ManualClock) -> None:
    """One at a time, in the order of the events; a failing one holds up those behind it."""
    failing = {"left": 2}

    def answer(request: Received) -> Reply:
        if request.content["data"]["id"] == "job1" and failing["left"]:
            failing["left"] -= 1
            return Reply(500)
        return OK

    with receiver(answer) as target:
        deployment.add(target.url, ordered=True, events=["job.*"])
        for number in range(4):
            clock.forward(0.01)
            deployment.fail(f"job{number}")
        deployment.notifier.run()
        clock.forward(7)
        deployment.notifier.run()
        clock.forward(HOUR)
        deployment.notifier.run()
    seen = [(each.content["data"]["id"], each.content["data"]["n"]) for each in target.received]
    once = list(dict.fromkeys(seen))
    assert [(f"job{job}", n) for job in range(4) for n in (1, 2)] == once
    assert 10 == len(seen)


def test_a_dead_worker_loses_nothing(deployment: Told, clock: ManualClock) -> None:
    """What a worker had claimed when it died is sent again after its lease, with the same id."""
    with receiver() as target:
        endpoint, _ = deployment.add(target.url)
        deployment.fail("job1")
        lanes = deployment.notifications.lanes
        deployment.notifier.fan_out.run(range(64))
        [claimed] = lanes.claim({endpoint.id: 10})[endpoint.id].claimed
        assert deployment.notifier.attempts.make(claimed, deployment.store.get("job1"))
        deployment.notifier.run()
        assert 1 == len(target.received)
        clock.forward(LEASE + 1)
        deployment.notifier.run()
    assert [target.received[0].id] * 2 == [each.id for each in target.received]
    [delivery] = deployment.deliveries().values()
    assert DeliveryState.DELIVERED is delivery.state


def test_a_notifier_that_stops_ends_what_it_began(deployment: Told) -> None:
    """`run` returns once the attempt under way is noted; another notifier does the rest."""
    with receiver() as target:

        def stopping(_request: Received) -> Reply:
            deployment.notifier.stop()
            return OK

        target.answer = stopping
        deployment.add(target.url)
        deployment.fail("job1")
        deployment.notifier.run()
        deployment.fail("job2")
        deployment.notifier.run()
        assert [DeliveryState.DELIVERED] == [
            each.state for each in deployment.deliveries().values()
        ]
        target.answer = lambda _request: OK
        another = deployment.notifications.notifier()
        another.soon = 0.0
        another.run()
        another.close()
        assert {"job1.1", "job2.1"} == set(deployment.deliveries())


def test_fan_out_may_be_repeated(deployment: Told) -> None:
    """An event that was put into lanes and not forgotten, as after a crash, is sent once."""
    with receiver() as target:
        deployment.add(target.url)
        deployment.fail("job1")
        lines = owed(deployment)
        deployment.notifier.run()
        deployment.redis.zadd(key_of("job1", OWED), {lines[0]: 0})
        deployment.notifier.fan_out.run([shard_of("job1")])
        deployment.notifier.run()
    assert 1 == len(target.received)


def test_a_new_endpoint_is_told_of_jobs_in_progress(deployment: Told, clock: ManualClock) -> None:
    """An endpoint that is added while jobs run is told of their ends within seconds."""
    deployment.create("job1")
    deployment.create("job2", tenant="another")
    with receiver() as target:
        deployment.add(target.url)
        clock.forward(3)
        assert deployment.overdue.run()
        deployment.notifier.run()
        deployment.move("job1", S.FAILED)
        deployment.move("job2", S.FAILED)
        deployment.notifier.run()
    assert ["job1"] == [each.content["data"]["id"] for each in target.received]


def test_a_job_names_its_own_address(deployment: Told) -> None:
    """The keys of the tenant's jobs sign for it; without them no job is told."""
    with receiver() as target:
        _, keys = deployment.add("", kind=Kind.JOBS)
        deployment.fail("job1", notify=f"{target.url}?order=4711")
        deployment.fail("job2", notify=f"{target.url}?order=4712")
        deployment.fail("job3")
        deployment.notifier.run()
    paths = {each.content["data"]["id"]: each.path for each in target.received}
    assert {"job1": "/hooks?order=4711", "job2": "/hooks?order=4712"} == paths
    assert all(each.verified(keys.secret) for each in target.received)
    # One lane for a host, whatever addresses there are named.
    assert 1 == len(deployment.endpoints.addresses("default"))
    assert {"job1.1", "job2.1"} == deployment.deliveries().keys()


def test_a_gone_address_of_a_job_ends_its_own_message_only(deployment: Told) -> None:
    """A 410 of one job's address says nothing of the others at that host."""

    def answer(request: Received) -> Reply:
        return Reply(410) if "gone" in request.path else OK

    with receiver(answer) as target:
        deployment.add("", kind=Kind.JOBS)
        deployment.fail("job1", notify=f"{target.url}?gone")
        deployment.notifier.run()
        deployment.fail("job2", notify=target.url)
        deployment.notifier.run()
    states = {name: each.state for name, each in deployment.deliveries().items()}
    assert {"job1.1": DeliveryState.DEAD, "job2.1": DeliveryState.DELIVERED} == states


def test_a_prompt_is_sent_only_if_asked_for(deployment: Told) -> None:
    """Only an endpoint with `prompt` gets it."""
    with receiver() as plain, receiver() as curious:
        deployment.add(plain.url)
        deployment.add(curious.url, prompt=True)
        deployment.fail("job1")
        deployment.notifier.run()
    assert b"secret fox" not in plain.received[0].body
    assert "A secret fox" == curious.received[0].content["data"]["prompt"]


def test_rotated_keys_overlap_for_a_day(deployment: Told, clock: ManualClock) -> None:
    """For a day both secrets verify, and then the new one alone."""
    with receiver() as target:
        endpoint, old = deployment.add(target.url)
        new = deployment.endpoints.rotate(endpoint)
        deployment.fail("job1")
        deployment.notifier.run()
        assert target.received[0].verified(old.secret) == target.received[0].verified(new.secret)
        clock.forward(DAY + 1)
        time.sleep(1.1)  # what the notifier knows of keys is a second old
        deployment.fail("job2")
        deployment.notifier.run()
    assert target.received[1].verified(new.secret)
    assert 2 == len(target.received[1].headers["webhook-signature"].split())


def test_a_removed_endpoint_leaves_nothing(deployment: Told) -> None:
    """What it was owed goes with it, however much that is."""
    endpoint, _ = deployment.add("http://localhost:1/")
    for number in range(20):
        deployment.fail(f"job{number}")
    deployment.notifier.fan_out.run(range(64))
    assert 20 == deployment.notifications.lanes.waiting(endpoint.id)
    deployment.endpoints.remove(endpoint)
    deployment.notifier.run()
    assert [] == list(deployment.redis.scan_iter(f"falhook:{{ep:{endpoint.id}}}:*"))
    assert ([], {}) == (deployment.endpoints.list(), deployment.due())


def test_keys_that_cannot_be_opened_are_told(redis_url: str, clock: ManualClock) -> None:
    """With another FALHOOK_SECRET nothing is sent, and the history says why."""
    settings = replace(LoopbackSettings(), secrets=("another-secret-0123456789",))
    with receiver() as target:
        with told(redis_url, clock) as before:
            before.add(target.url)
        with told(redis_url, clock, settings) as after:
            after.fail("job1")
            after.notifier.run()
            [delivery] = after.deliveries().values()
    assert [(0, "unreadable_keys")] == attempts_of(delivery)
    assert [] == target.received


def test_the_dead_are_kept_for_thirty_days(deployment: Told) -> None:
    """The history of a dead delivery stays for 30 days, that of a delivered one for seven."""
    with receiver(lambda _request: Reply(410)) as gone, receiver() as healthy:
        endpoints = [deployment.add(each.url)[0] for each in (gone, healthy)]
        deployment.fail("job1")
        deployment.notifier.run()
    kept = [deployment.redis.ttl(endpoint_key(each.id, "d:job1:1")) for each in endpoints]
    assert [30, 7] == [round(int(str(seconds)) / DAY) for seconds in kept]


def test_what_is_owed_takes_little_memory(deployment: Told) -> None:
    """An event that waits in a lane takes at most 600 bytes of Redis."""
    endpoint, _ = deployment.add("http://localhost:1/")
    for number in range(300):
        deployment.fail(f"order-{number:012d}")
    deployment.notifier.fan_out.run(range(64))
    size = deployment.redis.memory_usage(endpoint_key(endpoint.id, "lane"), samples=0)
    assert 300 == deployment.notifications.lanes.waiting(endpoint.id)
    assert int(str(size)) / 300 <= 600


def test_a_message_is_bounded(deployment: Told) -> None:
    """Metadata beyond the limit is left out, and the message says so."""
    with receiver() as target:
        deployment.add(target.url, prompt=True)
        deployment.fail("job1", metadata={"text": "é" * 30_000})
        deployment.notifier.run()
    [request] = target.received
    assert len(request.body) <= 20_000
    data = request.content["data"]
    assert (None, True) == (data["metadata"], data["metadata_left_out"])
    assert json.loads(request.body)["type"] == "job.failed"
