"""Cancelling: fal is asked once at most, and a result that comes all the same is kept."""

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
    """A job that waits is cancelled without a request, and wakes that come post nothing."""
    said = cancel(world.add(), store=world.store, fal=fal.fal)
    world.pipeline.run(Task.SUBMIT, "job1")
    world.clock.forward(1_000)
    world.sweep.run()
    world.follow_wakes()
    assert (S.CANCELLED, [], True) == (world.state(), fal.asked, "costs nothing" in said)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (answer(200, {"status": "OK"}), "costs nothing"),
        (answer(202, {"status": "CANCELLATION_REQUESTED"}), "may render and bill the job anyway"),
        (answer(400, {"status": "ALREADY_COMPLETED"}), "had rendered it already"),
        (answer(404, {"status": "NOT_FOUND"}), "NOT_FOUND"),
        (httpx.ReadTimeout("30 s"), "cancel_unanswered"),
    ],
)
def test_fal_is_asked_once(
    world: World, fal: ScriptedFal, said: httpx.Response | Exception, words: str
) -> None:
    """One PUT to fal's own address; whatever it says, the job is CANCELLED and history has it."""
    world.add_submitted()
    fal.answers = [said]
    sentence = cancel(world.job(), store=world.store, fal=fal.fal)
    with pytest.raises(NotCancellable):
        cancel(world.job(), store=world.store, fal=fal.fal)
    puts = [asked for asked in fal.asked if asked.method == "PUT"]
    assert ([world.job().cancel_url], True) == ([str(put.url) for put in puts], words in sentence)
    assert (S.CANCELLED, "cancel_asked") == (world.state(), world.names()[-1])


def test_a_callback_that_comes_all_the_same_is_kept(world: World, fal: ScriptedFal) -> None:
    """A cancelled job stays cancelled, and what fal rendered is not lost."""
    world.add_submitted()
    fal.answers = [answer(202, {"status": "CANCELLATION_REQUESTED"})]
    cancel(world.job(), store=world.store, fal=fal.fal)
    world.deliver(callback())
    job = world.job()
    assert (S.CANCELLED, VIDEO, "callback_kept") == (job.state, job.payload, world.names()[-1])


def test_a_job_in_doubt_can_be_cancelled(world: World, fal: ScriptedFal) -> None:
    """Without fal's answer there is no address to ask; the job ends all the same, and says so."""
    fal.answers = [httpx.ReadError("cut")]
    world.add_submitted()
    said = cancel(world.job(), store=world.store, fal=fal.fal)
    assert (S.CANCELLED, 0, True) == (world.state(), fal.count("PUT"), "lost" in said)


@pytest.mark.parametrize("state", sorted(set(S) - {S.QUEUED, S.SUBMITTED, S.SUBMIT_UNKNOWN}))
def test_what_cannot_be_cancelled_goes_on(world: World, fal: ScriptedFal, state: JobState) -> None:
    """A job that is being posted, rendered or over is left as it is."""
    job = world.add(state=state)
    with pytest.raises(NotCancellable):
        cancel(job, store=world.store, fal=fal.fal)
    assert (state, []) == (world.state(), fal.asked)


def test_a_job_that_moved_meanwhile_is_not_cancelled(world: World, fal: ScriptedFal) -> None:
    """Whoever was faster wins: the record decides."""
    job = world.add()
    world.pipeline.run(Task.SUBMIT, "job1")
    with pytest.raises(NotCancellable, match="no longer"):
        cancel(job, store=world.store, fal=fal.fal)
    assert S.SUBMITTED is world.state()


def test_the_simulated_fal_takes_the_put(
    redis_url: str, start_fal: Callable[..., FalProcess]
) -> None:
    """Over TLS, fal's own client and fal's own address: one PUT arrives, a waiting job ends."""
    simulated = start_fal("--render-seconds", "60")
    transport = ToSimulation(simulated)
    fal = FalClient(simulated.environment["FAL_KEY"], transport=transport)
    with transport, world_on(redis_url, fal) as world:
        world.add_submitted()
        said = cancel(world.job(), store=world.store, fal=fal)
        asked = simulated.counts()["requests"][world.job().request_id]["cancel"]
        assert (S.CANCELLED, 1, True) == (world.state(), asked, "asked to stop" in said)


def test_the_command_tells_each_job(
    world: World, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`falhook cancel` says what became of each job, and exits 1 if one goes on."""
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
    assert ("costs nothing" in done.output, "is PUBLISHED" in done.output) == (True, True)
