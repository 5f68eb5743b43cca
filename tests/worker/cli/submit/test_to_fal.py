"""`falhook submit` against the simulated fal: the requests of the submit step."""

import re
import shlex
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.local.fal_process import FalProcess
from tests.factories.batches import IMAGE
from tests.factories.catalogue import CHECKED
from tests.factories.cli import Run, submitted
from tests.factories.listed import count_of, jobs_of
from tests.factories.world import ToSimulation
from webhook.contract import Task
from worker.cli.models.endpoint_text import command
from worker.fal.cdn import Cdn
from worker.fal.client import FalClient
from worker.jobs.job import JobState
from worker.jobs.leases import Leases
from worker.jobs.store import JobStore
from worker.jobs.transitions import Transitions
from worker.pipeline import NEXT_TASK, Pipeline
from worker.steps.submit import Submit
from worker.steps.uploads import InputUploads
from worker.storage import Storage


@pytest.fixture
def fal(
    request: pytest.FixtureRequest,
    start_fal: Callable[..., FalProcess],
    monkeypatch: pytest.MonkeyPatch,
) -> FalProcess:
    """A simulated fal that accepts jobs; by default no render ends."""
    seconds = getattr(request, "param", "3600")
    running = start_fal("--render-seconds", seconds, "--app", "acme/dolly")
    monkeypatch.setenv("SSL_CERT_FILE", running.environment["SSL_CERT_FILE"])
    return running


@pytest.fixture
def work(
    fal: FalProcess, records: JobStore, home: Path
) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Run the submit step of every waiting job, and return the requests that fal received."""
    key, context = fal.environment["FAL_KEY"], ssl.create_default_context(cafile=fal.ca_file)
    queue, cdn = ToSimulation(fal), httpx.HTTPTransport(verify=context)
    uploads = InputUploads(
        cdn=Cdn(key, rest_host=fal.environment["FAL_REST_HOST"], transport=cdn),
        redis=records.redis,
        storage=Storage.open(str(home / "storage")),
        lifetime=3600,
    )
    submit = Submit(
        fal=FalClient(key, transport=queue),
        store=records,
        public_url="http://127.0.0.1:9",
        secret="a-secret-of-the-tests",
        deadline=2700,
        addressed=uploads.addressed,
    )
    pipeline = Pipeline(
        store=records,
        transitions=Transitions(records, NEXT_TASK, lambda _task, _job: None),
        leases=Leases(records),
        work={Task.SUBMIT: submit.work},
    )

    def work() -> list[dict[str, Any]]:
        for job in jobs_of(records, state=JobState.QUEUED):
            pipeline.run(Task.SUBMIT, job.id)
        answer = httpx.get(f"{fal.url}/_sim/requests", verify=context)
        requests: list[dict[str, Any]] = answer.json()
        return requests

    yield work
    cdn.close()
    queue._inner.close()


@pytest.mark.parametrize("fal", ["0"], indirect=True)
def test_every_example_works_when_pasted(
    run: Run, records: JobStore, work: Callable[[], list[dict[str, Any]]], fal: FalProcess
) -> None:
    """For every endpoint, fal accepts and renders the command of `models show`."""
    for model in CHECKED:
        program, *arguments = shlex.split(command(model))
        assert "falhook" == program
        done = run(*arguments)
        assert 0 == done.exit_code, done.stderr
    requests = {request["endpoint"]: request["arguments"] for request in work()}
    assert {model.endpoint: model.example() for model in CHECKED} == requests
    assert len(CHECKED) == count_of(records, JobState.SUBMITTED)
    context = ssl.create_default_context(cafile=fal.ca_file)
    wait = f"{fal.url}/_sim/wait?event=render&timeout=120&count={len(CHECKED)}"
    assert 200 == httpx.get(wait, verify=context, timeout=150).status_code
    assert {200} == {request["status"] for request in work()}


def test_files_and_options_reach_fal(
    run: Run, work: Callable[[], list[dict[str, Any]]], records: JobStore
) -> None:
    """The input is uploaded once for two jobs, before the POST, which has the options' headers."""
    for prompt in ("A", "B"):
        job = submitted(run, IMAGE, "--prompt", prompt, "--image", "cat.png", "--priority", "low")
    first, second = work()
    address = first["arguments"]["image_url"]
    assert address == second["arguments"]["image_url"]
    assert re.fullmatch(r"https://localhost:\d+/files/u/[0-9a-f]+_[0-9a-f]{64}\.png", address)
    headers = [request["headers"] for request in (first, second)]
    assert ["low", "low"] == [sent["x-fal-queue-priority"] for sent in headers]
    assert f"job_id={job['id']}" in {sent["x-fal-tags"] for sent in headers}
    assert 2 == count_of(records, JobState.SUBMITTED)


def test_a_failed_upload_costs_nothing(
    run: Run, work: Callable[[], list[dict[str, Any]]], records: JobStore, fal: FalProcess
) -> None:
    """The job was never posted, so it waits to be tried again."""
    context = ssl.create_default_context(cafile=fal.ca_file)
    for way in ("cdn", "bucket"):
        httpx.post(f"{fal.url}/_sim/uploads?way={way}&status=503", verify=context)
    job = submitted(run, IMAGE, "--prompt", "A", "--image", "cat.png")
    assert [] == work()
    record = records.get(job["id"])
    assert record is not None
    assert (JobState.QUEUED, 1, 0) == (record.state, record.tries, record.posted)
