"""Jobs of version 0.1, without shards: read where they are, moved once, never doubled."""

import json
from collections.abc import Iterator
from itertools import islice

import pytest
from click.testing import CliRunner, Result
from structlog.testing import capture_logs

from tests.factories.listed import count_of, history_of, jobs_of
from tests.factories.world import ENDPOINT, World, callback
from webhook.contract import inbox_key
from webhook.shards import key_of
from worker.cli.main import cli
from worker.jobs.change import Change
from worker.jobs.earlier_layout import EarlierLayout
from worker.jobs.job import Job, JobState
from worker.operations.orphans import find_orphan

CREATED = 1_000.5
S = JobState


def store_earlier(world: World, job_id: str = "old1", state: JobState = S.SUBMITTED) -> None:
    """Write what version 0.1 had in Redis of a job that waits for its callback."""
    redis, key = world.store.redis, f"falhook:job:{job_id}"
    record = {"id": job_id, "endpoint": ENDPOINT, "arguments": '{"prompt": "A fox"}'}
    record |= {"state": state, "attempt": "1", "posted": "1"}
    for field, value in record.items():
        redis.hset(key, field, value)
    for name, start, end in (("created", "", S.QUEUED), ("moved", S.QUEUED, state)):
        event = {"id": job_id, "job": job_id, "at": "7.5", "from": start, "to": end, "name": name}
        for stream in (f"{key}:events", "falhook:events"):
            redis.xadd(stream, event)  # type: ignore[arg-type]
    redis.zadd("falhook:jobs", {job_id: CREATED})
    redis.zadd(f"falhook:jobs:{state}", {job_id: CREATED + 1})
    redis.zadd("falhook:timers", {job_id: CREATED + 2})


def receive_earlier(world: World, job_id: str) -> None:
    """Write a callback as the receiver of version 0.1 did."""
    entry = callback()
    world.raw.hset(f"falhook:inbox:{job_id}", entry.fingerprint, entry.encode())
    world.raw.zadd("falhook:inbox", {job_id: 1.0})


def migrate(redis_url: str, *arguments: str) -> Result:
    """Run `falhook migrate`."""
    return CliRunner().invoke(cli, ["migrate", *arguments], env={"REDIS_URL": redis_url})


def leftovers(world: World) -> Iterator[str]:
    """Yield the keys that are left of the earlier layout."""
    for key in world.store.redis.scan_iter("falhook:*"):
        if not str(key).startswith("falhook:{") and str(key) != "falhook:swept":
            yield str(key)


def test_an_earlier_job_is_read_and_listed(world: World) -> None:
    """Its record, its place in the lists and the counts are the same before and after its move."""
    store_earlier(world)
    before = (jobs_of(world.store), count_of(world.store, S.SUBMITTED))
    assert (["old1"], 1) == ([job.id for job in before[0]], before[1])
    job = world.store.get("old1")
    assert job is not None
    assert {"prompt": "A fox"} == job.arguments
    assert ([job], 1) == (jobs_of(world.store), count_of(world.store, S.SUBMITTED))
    assert CREATED + 2 == world.store.due_at("old1")
    moves = [(event["from"], event["to"]) for event in history_of(world.store, "old1")]
    assert [("", "QUEUED"), ("QUEUED", "SUBMITTED")] == moves


def test_an_earlier_id_is_not_created_again(world: World) -> None:
    """A creation with its id changes nothing: it would be paid twice."""
    store_earlier(world)
    job = Job(id="old1", endpoint=ENDPOINT, arguments={})
    assert not world.store.add(job, due=0, event={"name": "created"})
    assert [S.SUBMITTED] == [job.state for job in jobs_of(world.store)]


def test_an_earlier_job_is_changed(world: World) -> None:
    """A change of a job that was not moved yet moves it and applies."""
    store_earlier(world)
    assert world.store.change("old1", [S.SUBMITTED], Change(to=S.EXPIRED, due=0))
    assert S.EXPIRED == world.state("old1")


def test_the_sweep_moves_everything(world: World) -> None:
    """Afterwards its callback is ingested, and nothing of the earlier layout is left."""
    store_earlier(world)
    receive_earlier(world, "old1")
    receive_earlier(world, "orphan")
    world.sweep.run()
    assert [] == list(leftovers(world))
    assert world.raw.exists(inbox_key("orphan"))
    assert "old1" in {job_id for wake in world.ingest_wakes for job_id in wake}


def test_an_earlier_orphan_is_adopted(world: World) -> None:
    """A creation with the id of its callback finds it before the sweep does: fal was paid."""
    receive_earlier(world, "orphan")
    orphan = find_orphan(world.store, "orphan")
    assert orphan is not None
    assert [callback()] == list(orphan.callbacks)


def test_an_orphan_that_is_not_pending_is_moved(world: World) -> None:
    """Callbacks that were set aside are in no set, and are moved all the same, if last."""
    store_earlier(world)
    receive_earlier(world, "orphan")
    world.raw.zrem("falhook:inbox", "orphan")
    moved = EarlierLayout(world.store.redis).move_all()
    assert "old1" == next(moved)
    assert EarlierLayout(world.store.redis).exists()
    world.sweep.run()
    assert ([], 1) == (list(leftovers(world)), world.raw.exists(inbox_key("orphan")))


def test_a_move_may_be_interrupted(world: World) -> None:
    """What is left is moved the next time, and nothing twice."""
    for number in range(20):
        store_earlier(world, f"old{number}")
    earlier = EarlierLayout(world.store.redis)
    assert 7 == len(list(islice(earlier.move_all(), 7)))
    assert (13, 20) == (earlier.count(), count_of(world.store, S.SUBMITTED))
    assert 13 == len(list(earlier.move_all()))
    assert ([], 20) == (list(leftovers(world)), count_of(world.store, S.SUBMITTED))
    assert not EarlierLayout(world.store.redis).exists()


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_migrate_moves_and_says_how_many(
    world: World, redis_url: str, arguments: tuple[str, ...]
) -> None:
    """The command may be run again, and then there is nothing to move."""
    store_earlier(world)
    first, second = (migrate(redis_url, *arguments) for _ in range(2))
    said = ("Moved 1 jobs.", "Nothing to move.")
    if arguments:
        assert [{"moved": number, "left": 0} for number in (1, 0)] == [
            json.loads(each.stdout) for each in (first, second)
        ]
    else:
        assert said == (first.stdout.strip(), second.stdout.strip())


def test_a_job_in_both_layouts_is_left(world: World, redis_url: str) -> None:
    """Neither record is lost: a person compares them."""
    world.add("old1")
    store_earlier(world)
    run = migrate(redis_url)
    assert (1, True) == (run.exit_code, "1 jobs have a record in both layouts" in run.stderr)
    assert (S.QUEUED, True) == (world.state("old1"), bool(world.raw.exists("falhook:job:old1")))
    assert world.raw.exists(key_of("old1", "job:old1"))


def test_the_sweep_names_a_job_in_both_layouts_once(
    world: World,
) -> None:
    """The log says once a day what a person must do, and nothing of moves that did not happen."""
    world.add("old1")
    store_earlier(world)
    world.store.earlier = EarlierLayout(world.store.redis)  # as in a worker that starts now
    with capture_logs() as lines:
        for _ in range(3):
            world.sweep.run()
    said = [line for line in lines if line["event"].startswith("layout.")]
    assert [("layout.left", 1, ["old1"])] == [
        (line["event"], line["jobs"], line["first"]) for line in said
    ]
