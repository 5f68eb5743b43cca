"""Steps and their order on a real Redis: claims, leases, tries and wakes."""

import itertools
from collections.abc import Callable

import pytest

from tests.factories.world import ScriptedFal, World, callback, request
from webhook.contract import Task
from webhook.shards import all_keys
from worker.errors import Permanent, Transient
from worker.jobs.change import Change, Outcome
from worker.jobs.job import Job, JobState
from worker.jobs.leases import LEASE
from worker.jobs.step import MAX_BACKOFF, MAX_RETRY_AFTER

S = JobState


def test_a_job_is_published(world: World, fal: ScriptedFal) -> None:
    """One POST, one callback and the wakes of each step lead to the publication."""
    world.add()
    world.pipeline.run(Task.SUBMIT, "job1")
    assert (S.SUBMITTED, request()) == (world.state(), world.job().request_id)
    world.deliver(callback())
    world.follow_wakes()
    assert (S.PUBLISHED, 1, ["job1"]) == (world.state(), fal.count("POST"), world.published)
    assert [] == [key for key in all_keys("timers") if world.store.redis.zcard(key)]


def test_the_history_has_every_state(world: World) -> None:
    """The events of a job lead from its creation to its end without a gap."""
    world.add_submitted()
    world.deliver(callback())
    world.follow_wakes()
    moves = [(event["from"], event["to"]) for event in world.history()]
    assert [("", S.QUEUED), (S.QUEUED, S.SUBMITTING), (S.SUBMITTING, S.SUBMITTED)] == moves[:3]
    assert all(left == came for (_, left), (came, _) in itertools.pairwise(moves))
    assert S.PUBLISHED == moves[-1][1]


@pytest.mark.parametrize("task", [Task.SUBMIT, Task.TRANSCODE_TAG, Task.PUBLISH])
def test_a_stray_wake_wakes_the_due_step(world: World, task: Task) -> None:
    """A message that is late, duplicate or early wakes the step that is due instead."""
    world.add_submitted()
    world.deliver(callback())
    world.wakes.clear()
    world.pipeline.run(task, "job1")
    assert (S.RENDERED, [(Task.DOWNLOAD, "job1")]) == (world.state(), world.wakes)


def test_a_wake_for_an_unknown_job_does_nothing(world: World) -> None:
    """A message whose job has no record is dropped."""
    world.pipeline.run(Task.DOWNLOAD, "nobody")
    assert [] == world.wakes


def test_a_leased_job_is_not_started_again(world: World) -> None:
    """While a worker runs a step, a second message does not start it again."""
    world.add_submitted()
    world.deliver(callback())
    world.wakes.clear()
    starts = []

    def work(job: Job) -> Outcome:
        starts.append(job.id)
        world.another_worker().run(Task.DOWNLOAD, "job1")
        return Outcome(to=S.DOWNLOADED)

    world.work[Task.DOWNLOAD] = work
    world.pipeline.run(Task.DOWNLOAD, "job1")
    assert (["job1"], [(Task.TRANSCODE_TAG, "job1")]) == (starts, world.wakes)


class Killed(BaseException):
    """Stands for SIGKILL: nothing after this line of the worker ran."""


def killed(_job: Job) -> Outcome:
    """Die in the middle of a step."""
    raise Killed


@pytest.mark.parametrize(
    ("task", "state"),
    [
        (Task.DOWNLOAD, S.RENDERED),
        (Task.TRANSCODE_TAG, S.DOWNLOADED),
        (Task.PUBLISH, S.TAGGED),
    ],
)
def test_a_step_whose_worker_died_is_resumed(world: World, task: Task, state: JobState) -> None:
    """After the dead worker's lease the sweep wakes the step, and another worker finishes it."""
    world.add_submitted()
    world.deliver(callback())
    world.work[task] = killed
    with pytest.raises(Killed):
        world.follow_wakes()
    assert state == world.state()
    del world.work[task]
    world.sweep.run()
    world.clock.forward(LEASE + 1)
    world.sweep.run()
    world.follow_wakes()
    assert (S.PUBLISHED, ["job1"]) == (world.state(), world.published)


def test_a_step_that_kills_every_worker_fails(world: World) -> None:
    """A job whose step never ends is FAILED after that step's tries, with its name."""
    world.add_submitted()
    world.deliver(callback())
    world.work[Task.DOWNLOAD] = killed
    for _ in range(4):
        try:
            world.pipeline.run(Task.DOWNLOAD, "job1")
        except Killed:
            world.clock.forward(LEASE + 1)
    job = world.job()
    assert (S.FAILED, "too_many_tries", Task.DOWNLOAD) == (job.state, job.reason, job.step)


def test_a_worker_that_lost_its_lease_changes_nothing(world: World) -> None:
    """A slow worker whose step another has finished neither moves nor fails the job."""
    world.add_submitted()
    world.deliver(callback())
    seen = []

    def slow(_job: Job) -> Outcome:
        world.clock.forward(LEASE + 1)
        world.work[Task.DOWNLOAD] = meanwhile
        world.another_worker().run(Task.DOWNLOAD, "job1")
        raise Permanent("cdn_404", "gone")

    def meanwhile(_job: Job) -> Outcome:
        seen.append(world.state())
        return Outcome(to=S.DOWNLOADED, set={"source": {"bytes": 3}})

    world.work[Task.DOWNLOAD] = slow
    world.pipeline.run(Task.DOWNLOAD, "job1")
    assert ([S.RENDERED], S.DOWNLOADED, "") == (seen, world.state(), world.job().reason)


def test_a_slow_success_after_a_takeover_counts_once(world: World) -> None:
    """Of two workers on a step only the one with the lease moves the job."""
    world.add_submitted()
    world.deliver(callback())

    def slow(_job: Job) -> Outcome:
        world.clock.forward(LEASE + 1)
        world.work[Task.DOWNLOAD] = killed
        with pytest.raises(Killed):
            world.another_worker().run(Task.DOWNLOAD, "job1")
        return Outcome(to=S.DOWNLOADED, set={"source": {"bytes": 99}})

    world.work[Task.DOWNLOAD] = slow
    world.pipeline.run(Task.DOWNLOAD, "job1")
    assert (S.RENDERED, {}) == (world.state(), world.job().source)


def test_a_claim_whose_answer_was_lost_succeeds(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Redis client repeats a claim without an answer, and the step runs."""
    world.add_submitted()
    world.deliver(callback())
    change = world.store.change

    def twice(job_id: str, expected: list[JobState], what: Change) -> bool:
        change(job_id, expected, what)
        return change(job_id, expected, what)

    monkeypatch.setattr(world.store, "change", twice)
    world.pipeline.run(Task.DOWNLOAD, "job1")
    assert S.DOWNLOADED == world.state()


def test_a_transient_fault_is_tried_again_after_a_wait(world: World) -> None:
    """A step that may succeed later is due again after its wait, and not before."""
    world.add_submitted()
    world.deliver(callback())
    world.wakes.clear()
    world.work[Task.DOWNLOAD] = raising(Transient("cdn_500", "fal's CDN answered 500"))
    world.pipeline.run(Task.DOWNLOAD, "job1")
    job = world.job()
    wait = job.due_at - world.clock()
    assert 5.0 <= wait <= 6.25
    assert (S.RENDERED, []) == (job.state, world.wakes)
    world.pipeline.run(Task.DOWNLOAD, "job1")
    assert 1 == world.job().tries
    del world.work[Task.DOWNLOAD]
    world.clock.forward(wait + 1)
    world.sweep.run()
    world.follow_wakes()
    assert S.PUBLISHED == world.state()


def raising(failure: Exception) -> Callable[[Job], Outcome]:
    """Return work that raises `failure`."""

    def work(_job: Job) -> Outcome:
        raise failure

    return work


@pytest.mark.parametrize(("requested", "expected"), [(7.0, 7.0), (1e9, MAX_RETRY_AFTER)])
def test_a_requested_wait_is_honoured(world: World, requested: float, expected: float) -> None:
    """Retry-After is the minimum wait, up to an hour."""
    world.add_submitted()
    world.deliver(callback())
    world.work[Task.DOWNLOAD] = raising(Transient("busy", "later", after=requested))
    world.pipeline.run(Task.DOWNLOAD, "job1")
    assert expected <= world.job().due_at - world.clock() <= expected * 1.25


def test_tries_are_bounded_and_waits_grow(world: World) -> None:
    """A step that never succeeds fails with its reason, after longer waits each time."""
    world.add_submitted()
    world.deliver(callback())
    world.work[Task.DOWNLOAD] = raising(Transient("cdn_500", "fal's CDN answered 500"))
    waits = []
    while world.state() is S.RENDERED:
        world.pipeline.run(Task.DOWNLOAD, "job1")
        waits.append(world.job().lease_until - world.clock())
        world.clock.forward(MAX_BACKOFF * 2)
    assert (S.FAILED, "cdn_500", 3) == (world.state(), world.job().reason, len(waits))
    assert waits[0] < waits[1]


def test_waiting_for_storage_does_not_count_as_a_try(world: World) -> None:
    """A storage that is away for an hour fails no job and uses none of the step's tries."""
    world.add_submitted()
    world.deliver(callback())
    began = world.clock()
    world.work[Task.DOWNLOAD] = raising(Transient("storage_away", "the bucket does not answer"))
    while world.clock() < began + 3600:
        world.pipeline.run(Task.DOWNLOAD, "job1")
        world.clock.forward(1.0 + max(0.0, world.job().lease_until - world.clock()))
    assert (S.RENDERED, 0, True) == (world.state(), world.job().tries, world.job().waits > 0)
    world.work[Task.DOWNLOAD] = raising(Transient("cdn_500", "fal's CDN answered 500"))
    world.pipeline.run(Task.DOWNLOAD, "job1")
    assert (S.RENDERED, 1) == (world.state(), world.job().tries)


def test_waiting_ends(world: World) -> None:
    """A storage that stays away fails the job in the end, with that reason."""
    world.add_submitted()
    world.deliver(callback())
    world.work[Task.DOWNLOAD] = raising(Transient("storage_away", "the bucket does not answer"))
    while world.state() is S.RENDERED:
        world.pipeline.run(Task.DOWNLOAD, "job1")
        world.clock.forward(1.0 + max(0.0, world.job().lease_until - world.clock()))
    assert (S.FAILED, "storage_away") == (world.state(), world.job().reason)


def test_a_crash_of_a_step_is_tried_again(world: World) -> None:
    """An unexpected exception counts as a try and does not end the job."""
    world.add_submitted()
    world.deliver(callback())
    world.work[Task.DOWNLOAD] = raising(ZeroDivisionError())
    world.pipeline.run(Task.DOWNLOAD, "job1")
    assert (S.RENDERED, "crashed") == (world.state(), world.history()[-1]["reason"])


def test_a_permanent_fault_fails_with_step_and_reason(world: World) -> None:
    """The job is FAILED with the step, the reason and the sentence."""
    world.add_submitted()
    world.deliver(callback())
    world.work[Task.TRANSCODE_TAG] = raising(Permanent("not_a_video", "no video in it"))
    world.follow_wakes()
    job = world.job()
    assert (S.FAILED, Task.TRANSCODE_TAG, "not_a_video", "no video in it") == (
        job.state,
        job.step,
        job.reason,
        job.sentence,
    )
    assert {"bytes": 3} == job.source
