"""`falhook watch` on a real Redis: what counts is the present state, not the past."""

import json
import threading

import pytest
from click.testing import CliRunner, Result

from tests.factories.world import ScriptedFal, World, answer, callback
from webhook.contract import Task
from worker.cli.main import cli
from worker.errors import Permanent
from worker.jobs.change import Outcome
from worker.jobs.job import Job, JobState
from worker.operations.retry import Retry

S = JobState


@pytest.fixture(autouse=True)
def _redis_url(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)


def watched(*arguments: str) -> Result:
    """Return the output of `falhook watch` and its exit code."""
    return CliRunner().invoke(cli, ["watch", *arguments])


def broken(_job: Job) -> Outcome:
    """Fail permanently."""
    raise Permanent("media_invalid", "it is not an MP4")


def failed(world: World, job_id: str = "job1") -> Job:
    """Return a job whose download failed."""
    world.add_submitted(job_id)
    world.deliver(callback(), job_id=job_id)
    world.work[Task.DOWNLOAD] = broken
    world.follow_wakes()
    del world.work[Task.DOWNLOAD]
    return world.job(job_id)


def continued(world: World) -> None:
    """Retry the job and let the sweep wake it."""
    Retry(store=world.store).retry(world.job())


def finish(world: World) -> None:
    """Run all steps that are due."""
    world.clock.forward(1)
    world.sweep.run()
    world.follow_wakes()


def test_a_job_that_was_published_after_a_retry_is_published(world: World) -> None:
    """A failure before the retry counts neither in the exit code nor in the lines."""
    failed(world)
    continued(world)
    finish(world)
    done = watched("job1")
    assert (0, False, True) == (done.exit_code, "FAILED" in done.stdout, "PUBLISHED" in done.stdout)


def test_a_failed_job_ends_at_once_with_its_reason(world: World) -> None:
    """The exit code is 1; the last line has the reason, the step and the sentence."""
    failed(world)
    done = watched("job1")
    last = "job1  FAILED  media_invalid (at download): it is not an MP4"
    assert (1, last) == (done.exit_code, done.stdout.splitlines()[-1])


@pytest.mark.parametrize("to", [S.PUBLISHED, S.FAILED])
def test_a_continued_job_is_followed_to_its_end(world: World, to: JobState) -> None:
    """While a continued job runs, its earlier failure ends nothing."""
    failed(world)
    continued(world)
    results: list[Result] = []
    reader = threading.Thread(target=lambda: results.append(watched("job1", "--json")))
    reader.start()
    reader.join(timeout=2.5)
    assert reader.is_alive()
    if to is S.FAILED:
        world.work[Task.DOWNLOAD] = broken
    finish(world)
    reader.join(timeout=30)
    # The pipeline of this process writes its log to the same output.
    lines = [line for line in results[0].stdout.splitlines() if line.startswith("{")]
    events = [json.loads(line) for line in lines]
    assert ("replayed", to, int(to is S.FAILED)) == (
        events[0]["name"],
        events[-1]["to"],
        results[0].exit_code,
    )


def test_a_late_callback_continues_an_expired_job(world: World, fal: ScriptedFal) -> None:
    """A job that expired and was published later is published, without a retry in between."""
    world.add_submitted()
    world.clock.forward(10_000)
    fal.answers = [answer(404, {})]
    world.sweep.run()
    world.follow_wakes()
    assert S.EXPIRED is world.state()
    world.deliver(callback())
    world.follow_wakes()
    assert (S.PUBLISHED, 0) == (world.state(), watched("job1").exit_code)


def test_one_failure_among_several_jobs(world: World) -> None:
    """The exit code is 1 if one of them failed; each has its line at the end."""
    failed(world)
    world.work[Task.DOWNLOAD] = broken
    world.add("job2", state=S.CANCELLED, reason="cancelled", step="cancel", sentence="by hand")
    done = watched("job1", "job2")
    assert 1 == done.exit_code
    assert "job2  CANCELLED  cancelled (at cancel): by hand" in done.stdout


def test_an_unknown_job_is_named() -> None:
    """A mistyped id is an error, before anything is followed."""
    done = watched("nope")
    assert (2, True) == (done.exit_code, "Job nope does not exist" in done.stderr)
