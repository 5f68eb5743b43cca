"""Events while Redis is killed and restarted."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from infra.local.redis.server import RedisServer
from tests.factories.world import ScriptedFal, World, world_on
from worker.jobs.change import Change
from worker.jobs.events import follow
from worker.jobs.job import JobState


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that a test may kill."""
    with RedisServer.start(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def world(server: RedisServer, fal: ScriptedFal) -> Iterator[World]:
    """A pipeline on that Redis."""
    with world_on(server.url, fal.fal) as created:
        yield created


@pytest.mark.parametrize("job_ids", [["job1", "job2"], []])
def test_no_event_is_lost_while_redis_is_away(
    world: World, server: RedisServer, job_ids: list[str]
) -> None:
    """A follower hears once that Redis is away, and then gets each event once."""
    errors: list[str] = []

    def back(error: Exception) -> None:
        errors.append(type(error).__name__)
        server.restart()
        world.add("job2")

    since = "0" if job_ids else "$"
    events = follow(world.store.redis, job_ids, since=since, patience=60, away=back)
    if not job_ids:
        assert next(events) is None
    world.add("job1")
    first = next(events)
    server.kill()
    second = next(event for event in events if event)
    assert (["job1", "job2"], 1) == (
        [event["job"] for event in (first, second) if event],
        len(errors),
    )


def test_following_gives_up_after_its_patience(world: World, server: RedisServer) -> None:
    """A Redis that stays away raises an error."""
    events = follow(world.store.redis, patience=0.5)
    assert next(events) is None
    server.kill()
    with pytest.raises(RedisConnectionError):
        next(events)


def test_the_events_of_several_jobs_are_in_order(world: World) -> None:
    """Redis returns them job by job; the follower gets them by time."""
    for job_id in ("job1", "job2"):
        world.add(job_id)
    for job_id in ("job2", "job1"):
        world.store.change(job_id, JobState, Change(event={"name": f"of {job_id}"}))
    names = []
    for event in follow(world.store.redis, ["job1", "job2"], since="0"):
        if event is None:
            break
        names.append(event["name"])
    assert ["of job2", "of job1"] == names[-2:]
