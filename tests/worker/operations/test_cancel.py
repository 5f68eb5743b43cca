"""Cancelling asks fal at most once, and keeps a result that comes anyway."""

from collections.abc import Callable

import httpx
import pytest
from click.testing import CliRunner

from infra.local.fal_process import FalProcess
from tests.factories.world import (
    VIDEO,
    ScriptedFal,
    ToSimulation,
    World,
    answer,
    callback,
    world_on,
)
from webhook.contract import Task
from worker.cli.main import cli
from worker.fal.client import FalClient
from worker.jobs.job import JobState
from worker.operations.cancel import NotCancellable, cancel

S = JobState


def test_a_queued_job_never_reaches_fal(world: World, fal: ScriptedFal) -> None:
    """A queued job is cancelled without a request, and later wakes post nothing."""
    sentence = cancel(world.add(), store=world.store, fal=fal.fal)
    world.pipeline.run(Task.SUBMIT, "job1")
    world.clock.forward(1_000)
    world.sweep.run()
    world.follow_wakes()
    assert (S.CANCELLED, [], True) == (world.state(), fal.requests, "costs nothing" in sentence)


@pytest.mark.parametrize(
    ("fal_answer", "words"),
    [
        (answer(200, {"status": "OK"}), "costs nothing"),
        (answer(202, {"status": "CANCELLATION_REQUESTED"}), "may render and bill the job anyway"),
        (answer(400, {"status": "ALREADY_COMPLETED"}), "had rendered it already"),
        (answer(404, {"status": "NOT_FOUND"}), "NOT_FOUND"),
        (httpx.ReadTimeout("30 s"), "fal did not answer, so it may render"),
    ],
)
def test_fal_is_asked_once(
    world: World, fal: ScriptedFal, fal_answer: httpx.Response | Exception, words: str
) -> None:
    """One PUT goes to fal's address; whatever it answers, the job is CANCELLED."""
    world.add_submitted()
    fal.answers = [fal_answer]
    sentence = cancel(world.job(), store=world.store, fal=fal.fal)
    with pytest.raises(NotCancellable):
        cancel(world.job(), store=world.store, fal=fal.fal)
    puts = [request for request in fal.requests if request.method == "PUT"]
    assert ([world.job().cancel_url], True) == ([str(put.url) for put in puts], words in sentence)
    assert (S.CANCELLED, "cancel_asked") == (world.state(), world.names()[-1])


def test_a_callback_after_the_cancel_is_kept(world: World, fal: ScriptedFal) -> None:
    """The job stays CANCELLED, and fal's result is stored."""
    world.add_submitted()
    fal.answers = [answer(202, {"status": "CANCELLATION_REQUESTED"})]
    cancel(world.job(), store=world.store, fal=fal.fal)
    world.deliver(callback())
    job = world.job()
    assert (S.CANCELLED, VIDEO, "callback_kept") == (job.state, job.payload, world.names()[-1])


def test_a_job_with_a_lost_answer_can_be_cancelled(world: World, fal: ScriptedFal) -> None:
    """Without fal's answer there is no cancel URL; the job is CANCELLED without a request."""
    fal.answers = [httpx.ReadError("cut")]
    world.add_submitted()
    sentence = cancel(world.job(), store=world.store, fal=fal.fal)
    assert (S.CANCELLED, 0, True) == (world.state(), fal.count("PUT"), "lost" in sentence)


@pytest.mark.parametrize("state", sorted(set(S) - {S.QUEUED, S.SUBMITTED, S.SUBMIT_UNKNOWN}))
def test_other_jobs_cannot_be_cancelled(world: World, fal: ScriptedFal, state: JobState) -> None:
    """A job that is being posted, is rendered or has ended is unchanged."""
    job = world.add(state=state)
    with pytest.raises(NotCancellable):
        cancel(job, store=world.store, fal=fal.fal)
    assert (state, []) == (world.state(), fal.requests)


def test_a_job_that_moved_meanwhile_is_not_cancelled(world: World, fal: ScriptedFal) -> None:
    """If the record changed before, the cancel fails."""
    job = world.add()
    world.pipeline.run(Task.SUBMIT, "job1")
    with pytest.raises(NotCancellable, match="no longer"):
        cancel(job, store=world.store, fal=fal.fal)
    assert S.SUBMITTED is world.state()


def test_the_simulated_fal_accepts_the_put(
    redis_url: str, start_fal: Callable[..., FalProcess]
) -> None:
    """fal-client sends one PUT over TLS to fal's address."""
    simulated = start_fal("--render-seconds", "60")
    transport = ToSimulation(simulated)
    fal = FalClient(simulated.environment["FAL_KEY"], transport=transport)
    with transport, world_on(redis_url, fal) as world:
        world.add_submitted()
        sentence = cancel(world.job(), store=world.store, fal=fal)
        count = simulated.counts()["requests"][world.job().request_id]["cancel"]
        assert (S.CANCELLED, 1, True) == (world.state(), count, "asked to stop" in sentence)


def test_the_command_reports_each_job(
    world: World, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`falhook cancel` prints the result of each job, and exits with 1 if one continues."""
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("FAL_KEY", "id:secret")
    world.add("waits")
    world.add("done", state=S.PUBLISHED)
    done = CliRunner().invoke(cli, ["cancel", "waits", "done"])
    assert (1, S.CANCELLED, S.PUBLISHED) == (
        done.exit_code,
        world.state("waits"),
        world.state("done"),
    )
    assert (True, True) == ("costs nothing" in done.output, "is PUBLISHED" in done.output)
