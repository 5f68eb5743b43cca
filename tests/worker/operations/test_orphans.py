"""A paid result without a record is used, not paid for again."""

import json
from pathlib import Path

import pytest

from tests.factories.cli import Run, runner
from tests.factories.world import ENDPOINT, VIDEO, ScriptedFal, World, callback
from webhook.contract import Callback, inbox_key
from worker.catalogue.catalogue import Catalogue
from worker.jobs.job import JobState
from worker.operations.create import JobCreator
from worker.operations.orphans import find_orphan
from worker.operations.request import JobRequest
from worker.operations.staging import Staging
from worker.operations.validation import Validator

S = JobState
ERROR = callback(status="ERROR", error="boom", payload=None, received_at=2.0)


@pytest.fixture
def creator(world: World, tmp_path: Path) -> JobCreator:
    """What falhook.create and `falhook submit` create jobs with."""
    staging = Staging(storage=lambda: pytest.fail("no file is staged"), directory=tmp_path)
    return JobCreator(
        store=world.store,
        validator=Validator(catalogue=Catalogue.load(), staging=staging),
        wake=lambda task, job_id: world.wakes.append((task, job_id)),
    )


ORDER = JobRequest(endpoint=ENDPOINT, arguments={"prompt": "A fox"}, job_id="job1")


def finish(world: World) -> None:
    for _ in range(3):
        world.clock.forward(60)
        world.sweep.run()
        world.follow_wakes()


@pytest.mark.parametrize("aside", [False, True])
@pytest.mark.parametrize("callbacks", [[callback(attempt=3)], [callback(), ERROR]])
def test_the_id_of_an_orphan_is_not_posted(
    world: World, fal: ScriptedFal, creator: JobCreator, callbacks: list[Callback], aside: bool
) -> None:
    """A job that is created again takes the result that fal brought meanwhile."""
    world.receive(*callbacks)
    if aside:
        world.ingest.run(["job1"])
        assert [] == world.pending()
    assert S.SUBMIT_UNKNOWN is creator.create(ORDER).state
    assert S.SUBMIT_UNKNOWN is creator.create(ORDER).state
    finish(world)
    assert (S.PUBLISHED, VIDEO, 0) == (world.state(), world.job().payload, fal.count("POST"))
    assert -2 == world.raw.ttl(inbox_key("job1"))


def test_a_job_of_an_orphaned_failure(world: World, fal: ScriptedFal, creator: JobCreator) -> None:
    """fal's ERROR ends the job, and only a person's resubmit pays."""
    world.deliver(ERROR)
    creator.create(ORDER)
    finish(world)
    assert (S.FAILED, "render_failed", 0) == (
        world.state(),
        world.job().reason,
        fal.count("POST"),
    )


def test_a_job_with_a_record_has_no_orphan(world: World) -> None:
    """Pending callbacks of a known job are not orphans."""
    world.add_submitted()
    world.receive(callback())
    assert None is find_orphan(world.store, "job1")


@pytest.fixture
def run(tmp_path: Path, redis_url: str) -> Run:
    """The command line on the same Redis."""
    (tmp_path / "home").mkdir()
    return runner(tmp_path / "home", redis_url)


def test_the_command(world: World, fal: ScriptedFal, run: Run) -> None:
    """Orphans are listed, and brought back with their endpoint alone."""
    assert "No orphans" in run("orphans").stderr
    world.deliver(callback())
    world.raw.hset(inbox_key("job2"), "x", b"\xff not an entry")
    (line,) = run("orphans", "--json").stdout.splitlines()
    told = json.loads(line)
    assert ("job1", "OK", 1) == (told["id"], told["status"], told["callbacks"])
    assert "job1" in run("orphans").stdout
    assert "--endpoint" in run("orphans", "job1").stderr
    assert 0 == run("orphans", "job1", "--endpoint", "acme/lost").exit_code
    assert 1 == run("orphans", "job1", "--endpoint", "acme/lost").exit_code
    # The command has the real clock, at which its callback is due.
    world.ingest.run(["job1"])
    world.follow_wakes()
    assert (S.PUBLISHED, "acme/lost", 0) == (
        world.state(),
        world.job().endpoint,
        fal.count("POST"),
    )
