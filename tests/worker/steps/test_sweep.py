"""The sweep: what messages and workers lose is found again, nobody starves, two do no harm."""

from collections.abc import Callable

import pytest

from tests.factories.listed import jobs_of
from tests.factories.world import DEADLINE, ScriptedFal, World, callback, request
from webhook.contract import INBOX, Queue, Task
from webhook.shards import key_of
from worker.jobs.job import JobState
from worker.jobs.leases import LEASE
from worker.jobs.store import LOST_WAKE_AFTER, TIMERS, job_key
from worker.steps.sweep import CHUNK, INTERVAL, LIMIT, MAX_WAKES

S = JobState


def test_a_lost_wake_is_found(world: World) -> None:
    """A job whose message was lost is woken once its grace is over, and not before."""
    world.add()
    world.clock.forward(LOST_WAKE_AFTER - 1)
    world.sweep.run()
    assert [] == world.wakes
    world.clock.forward(2)
    world.sweep.run()
    assert [(Task.SUBMIT, "job1")] == world.wakes


def test_the_promised_times() -> None:
    """A lost wake is found, and a killed step taken up, within 30 seconds."""
    assert max(LOST_WAKE_AFTER, LEASE) + INTERVAL <= 30


def test_a_lost_ingest_is_found(world: World) -> None:
    """A callback in the inbox whose wake was lost is ingested, whatever its job waits for."""
    world.add_submitted()
    world.receive(callback())
    world.clock.forward(11)
    world.sweep.run()
    world.follow_wakes()
    assert (S.PUBLISHED, []) == (world.state(), world.pending())


def test_a_wake_in_a_long_queue_is_not_repeated_for_ever(world: World) -> None:
    """Wakes of a job that nobody takes grow rarer, and end with the job."""
    world.add()
    gaps = []
    while world.state() is S.QUEUED:
        world.sweep.run()
        gaps.append(world.job().due_at - world.clock())
        world.clock.forward(max(gaps[-1], 0) + 1)
    job = world.job()
    assert (S.FAILED, "stalled", MAX_WAKES) == (job.state, job.reason, len(world.wakes))
    assert (True, 0) == (max(gaps) <= 601, job.posted)


def test_a_full_queue_gets_no_further_wakes(world: World) -> None:
    """While as many messages wait as jobs, none is sent; one that is missing is sent once."""
    for number in range(30):
        world.add(f"job{number}")
    world.queue_lengths[Queue.SUBMIT] = 30
    for _ in range(60):
        world.clock.forward(10)
        world.sweep.run()
    assert ([], 30) == (world.wakes, len(jobs_of(world.store, state=S.QUEUED)))
    world.queue_lengths[Queue.SUBMIT] = 28
    world.clock.forward(601)
    world.sweep.run()
    assert 2 == len(set(world.wakes))


def test_a_full_queue_keeps_no_other_queue_waiting(world: World) -> None:
    """Each queue is counted by itself."""
    world.queue_lengths[Queue.PUBLISH] = 1_000
    world.add()
    world.clock.forward(LOST_WAKE_AFTER + 1)
    world.sweep.run()
    assert [(Task.SUBMIT, "job1")] == world.wakes


def test_a_worker_resets_the_wakes(world: World) -> None:
    """Once a worker took a job up, a wake that is lost later is found as fast as the first."""
    world.add()
    for _ in range(5):
        world.clock.forward(601)
        world.sweep.run()
    world.follow_wakes()
    assert (S.SUBMITTED, 0) == (world.state(), world.job().wakes)


def test_nobody_starves_behind_the_limit(world: World) -> None:
    """More overdue jobs than one sweep looks at are all woken by the next ones."""
    for number in range(LIMIT + 50):
        world.add(f"job{number}")
    world.clock.forward(LOST_WAKE_AFTER + 1)
    world.sweep.run()
    world.sweep.run()
    assert LIMIT + 50 == len({job_id for _, job_id in world.wakes})


def test_inbox_wakes_go_out_in_chunks(world: World) -> None:
    """One message carries many job ids, but not all of them."""
    for number in range(CHUNK + 1):
        world.raw.zadd(key_of(f"job{number}", INBOX), {f"job{number}": 1.0})
    world.sweep.run()
    assert [CHUNK, 1] == [len(job_ids) for job_ids in world.ingest_wakes]


def test_a_record_that_cannot_be_read_starves_nobody(world: World) -> None:
    """A broken record, or a timer without one, does not keep others from being woken."""
    world.add("broken")
    world.add("job1")
    world.store.redis.hset(job_key("broken"), "state", "NONSENSE")
    world.store.redis.zadd(key_of("nobody", TIMERS), {"nobody": 1.0})
    world.clock.forward(LOST_WAKE_AFTER + 1)
    world.sweep.run()
    assert [(Task.SUBMIT, "job1")] == world.wakes
    broken = world.store.due_at("broken")
    assert (None, True) == (world.store.due_at("nobody"), (broken or 0) > world.clock())


def test_two_sweeps_at_once_are_harmless(world: World, fal: ScriptedFal) -> None:
    """Whatever two beats wake twice happens once."""
    world.add()
    world.clock.forward(LOST_WAKE_AFTER + 1)
    world.sweep.run()
    world.sweep.run()
    world.wakes.extend(world.wakes)
    world.follow_wakes()
    world.deliver(callback())
    world.clock.forward(LOST_WAKE_AFTER + 1)
    world.sweep.run()
    world.sweep.run()
    world.follow_wakes()
    assert (S.PUBLISHED, 1, ["job1"]) == (world.state(), fal.count("POST"), world.published)


@pytest.mark.parametrize("step", [600.0, -600.0])
@pytest.mark.parametrize(
    "reached", [S.QUEUED, S.SUBMITTED, S.RENDERED, S.DOWNLOADED, S.TAGGED, S.EXPIRED]
)
def test_a_clock_step_is_harmless(
    world: World, fal: ScriptedFal, step: float, reached: JobState
) -> None:
    """Ten minutes forth or back in any state cost no second POST and no job."""
    world.add()
    todo: list[tuple[JobState, Callable[[], object]]] = [
        (S.SUBMITTED, lambda: world.pipeline.run(Task.SUBMIT, "job1")),
        (S.RENDERED, lambda: world.deliver(callback())),
        (S.DOWNLOADED, lambda: world.pipeline.run(Task.DOWNLOAD, "job1")),
        (S.TAGGED, lambda: world.pipeline.run(Task.TRANSCODE_TAG, "job1")),
    ]
    if reached is S.EXPIRED:
        world.pipeline.run(Task.SUBMIT, "job1")
        world.clock.forward(DEADLINE + 1)
        world.ingest.run(["job1"])
        todo = todo[1:]
    while world.state() is not reached:
        todo.pop(0)[1]()
    world.clock.forward(step)
    world.wakes.clear()
    for _, act in todo:
        act()
    for _ in range(5):
        world.clock.forward(300)
        world.sweep.run()
        world.follow_wakes()
    assert (S.PUBLISHED, 1, ["job1"]) == (world.state(), fal.count("POST"), world.published)


def test_a_final_job_keeps_no_timer(world: World) -> None:
    """A timer that outlived its job's end is taken away."""
    world.add_submitted()
    world.deliver(callback())
    world.follow_wakes()
    world.store.redis.zadd(key_of("job1", TIMERS), {"job1": 1.0})
    world.store.redis.hset(job_key("job1"), "due_at", "1.0")
    world.sweep.run()
    assert None is world.store.due_at("job1")


def test_a_dead_submit_is_never_posted_again_in_doubt(world: World, fal: ScriptedFal) -> None:
    """A job marked as posted whose worker died waits for its callback."""
    world.add()
    key = job_key("job1")
    given = {"state": "SUBMITTING", "attempt": "1", "posted": "1", "due_at": "1.0"}
    for name, value in given.items():
        world.store.redis.hset(key, name, value)
    world.store.redis.zadd(key_of("job1", TIMERS), {"job1": 1.0})
    world.sweep.run()
    world.follow_wakes()
    assert (S.SUBMIT_UNKNOWN, 0) == (world.state(), fal.count("POST"))
    world.deliver(callback(request_id=request(3)))
    assert S.RENDERED == world.state()
