"""falhook.create in a real Celery worker: messages that come twice, late, or to a full Redis."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from celery.contrib.testing.worker import start_worker
from celery.exceptions import Retry
from redis import Redis

from tests.factories.input_files import PNG
from tests.factories.listed import jobs_of
from webhook.contract import Queue, Task
from webhook.settings.settings import Connections
from worker.broker.client import client
from worker.catalogue.catalogue import Catalogue
from worker.errors import Transient
from worker.jobs.job import JobState
from worker.jobs.store import JobStore
from worker.operations import create_task
from worker.operations.create import JobCreator
from worker.operations.create_message import Intake
from worker.operations.create_task import CreateTask
from worker.operations.request import DraftJob, JobRequest
from worker.operations.staging import Staging
from worker.operations.validation import Validator
from worker.storage import Storage

TEXT = "fal-ai/kling-video/v2.1/master/text-to-video"
IMAGE = "fal-ai/kling-video/v2.1/master/image-to-video"
MESSAGE = "3a3f3ec8-7e1c-4b0e-9e4f-0d2a5c6b7d80"
PATIENCE, TRIES = 30.0, create_task.MESSAGE_TRIES


class Office:
    """An application that receives messages, and counts each wake and each wait."""

    def __init__(self, redis_url: str, records: JobStore, directory: Path) -> None:
        (directory / "cat.png").write_bytes(PNG)
        storage = Storage.open(str(directory / "storage"))
        self.woken, self.waited = threading.Semaphore(0), threading.Semaphore(0)
        self.waits: list[int] = []
        self.pause: Callable[[], object] = lambda: None
        self.on_wake: Callable[[], object] = lambda: None
        self.app = client(Connections.from_env({"REDIS_URL": redis_url}))
        creator = JobCreator(
            store=records,
            validator=Validator(
                catalogue=Catalogue.load(),
                staging=Staging(storage=lambda: storage, directory=directory),
            ),
            wake=self._wake,
        )
        CreateTask(
            intake=Intake(creator=creator), wait=self._wait, pause=lambda _seconds: self.pause()
        ).register(self.app)
        self.app.conf.update(task_acks_late=True, worker_prefetch_multiplier=1)

    def _wake(self, _task: Task, _job_id: str) -> None:
        self.on_wake()
        self.woken.release()

    def _wait(self, tries: int) -> float:
        self.waits.append(tries)
        self.waited.release()
        return 0.1

    def send(self, task_id: str = MESSAGE, **fields: Any) -> None:
        """Send a message as any Celery client does."""
        kwargs = {"endpoint": TEXT, "arguments": {"prompt": "a fox"}} | fields
        self.app.send_task(Task.CREATE, kwargs=kwargs, queue=Queue.SUBMIT, task_id=task_id)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Run a worker until the block ends."""
        with start_worker(
            self.app,
            pool="threads",
            perform_ping_check=False,
            queues=[Queue.SUBMIT],
            shutdown_timeout=PATIENCE,
        ):
            yield


@pytest.fixture
def office(redis_url: str, records: JobStore, tmp_path: Path) -> Iterator[Office]:
    """An office on an empty Redis."""
    office = Office(redis_url, records, tmp_path)
    yield office
    office.app.close()


@pytest.fixture
def full(redis_url: str) -> Iterator[Callable[[bool], None]]:
    """Return a function that makes Redis full, or accept writes again."""
    with Redis.from_url(redis_url) as redis:
        yield lambda full: redis.config_set("maxmemory", int(full))
        redis.config_set("maxmemory", 0)


def test_a_message_that_is_delivered_twice_is_one_job(office: Office, records: JobStore) -> None:
    """The job id is derived from the message, so a redelivery is the same job."""
    for _ in range(2):
        office.send()
    with office.working():
        assert all(office.woken.acquire(timeout=PATIENCE) for _ in range(2))
    assert [MESSAGE] == [job.id for job in jobs_of(records)]


def test_a_message_waits_for_storage(
    office: Office, records: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is retried until its files can be stored, each time later, and is then one job."""
    put, tries = Storage.put, []

    def away(*arguments: Any, **named: Any) -> Any:
        tries.append(1)
        if len(tries) < 6:
            raise Transient("storage_unavailable", "no answer")
        return put(*arguments, **named)

    monkeypatch.setattr(Storage, "put", away)
    office.send(endpoint=IMAGE, arguments={"prompt": "a", "image_url": "file:cat.png"})
    with office.working():
        assert office.woken.acquire(timeout=PATIENCE)
    assert [(MESSAGE, JobState.QUEUED)] == [(job.id, job.state) for job in jobs_of(records)]
    assert [1, 2, 3, 4, 5] == office.waits


def test_a_message_waits_for_a_full_redis(
    office: Office, records: JobStore, full: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis stores neither job nor message then; the worker keeps the message meanwhile."""
    validate = Validator.validate

    def fill(validator: Validator, request: JobRequest) -> DraftJob:
        monkeypatch.undo()
        full(True)
        return validate(validator, request)

    monkeypatch.setattr(Validator, "validate", fill)
    office.pause = lambda: full(False)
    office.send()
    with office.working():
        assert office.woken.acquire(timeout=PATIENCE)
    assert [(MESSAGE, JobState.QUEUED)] == [(job.id, job.state) for job in jobs_of(records)]


def test_a_redis_that_gets_full_ends_no_worker(
    office: Office, records: JobStore, full: Callable[[bool], None]
) -> None:
    """One message cannot be acknowledged, the next cannot be noted as taken: both become jobs."""
    office.send("first")
    office.send("second")
    office.on_wake = lambda: full(True)
    office.pause = lambda: full(False)
    with office.working():
        assert all(office.woken.acquire(timeout=PATIENCE) for _ in range(2))
    assert {"first", "second"} == {job.id for job in jobs_of(records)}
    assert [1] == office.waits[:1]


def test_a_message_that_cannot_be_retried_stays_with_the_broker(
    office: Office, records: JobStore, full: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker gives up, so that it can stop; another worker finds the message."""
    validate = Validator.validate

    def fill(validator: Validator, request: JobRequest) -> DraftJob:
        full(True)
        return validate(validator, request)

    with monkeypatch.context() as patched:
        patched.setattr(Validator, "validate", fill)
        office.send()
        with office.working():
            assert all(office.waited.acquire(timeout=PATIENCE) for _ in range(2 * TRIES))
    full(False)
    assert 1 == records.redis.hlen("falhook:unacked") + records.redis.llen(Queue.SUBMIT)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"id": "order-1"}, ("order-1", "QUEUED")),
        ({"job_id": "order-1"}, ("order-1", "QUEUED")),
        ({"id": "order-1", "job_id": "order-1"}, ("order-1", "QUEUED")),
        ({"id": "order-1", "job_id": "order-2"}, ("order-2", "FAILED")),
        ({}, (MESSAGE, "QUEUED")),
    ],
)
def test_the_id_of_a_message_has_two_names(
    office: Office, records: JobStore, fields: dict[str, str], expected: tuple[str, str]
) -> None:
    """`id` is the name, `job_id` the older one; two different ids are rejected."""
    office.send(**fields)
    office.send("last", id="last")
    with office.working():
        while records.get("last") is None:
            assert office.woken.acquire(timeout=PATIENCE)
    assert {expected, ("last", "QUEUED")} == {(job.id, job.state) for job in jobs_of(records)}


def test_a_message_that_waits_has_no_prompt_in_its_headers(office: Office, redis_url: str) -> None:
    """Celery's own headers, which monitors show, leave the arguments of a retried message out."""
    task = office.app.tasks[Task.CREATE]
    kwargs = {"endpoint": TEXT, "arguments": {"prompt": "a secret fox"}}
    task.push_request(id=MESSAGE, args=[], kwargs=kwargs, retries=0, called_directly=False)
    failing = CreateTask(
        intake=_Unavailable(),  # type: ignore[arg-type]
        wait=lambda _tries: 60.0,
    )
    with pytest.raises(Retry):
        failing.run(task, JobRequest(endpoint=TEXT, arguments={"prompt": "a secret fox"}))
    with Redis.from_url(redis_url) as redis:
        [message] = cast(list[bytes], redis.lrange(Queue.SUBMIT, 0, -1))
    assert b"secret" not in message


class _Unavailable:
    def receive(self, *_arguments: object) -> None:
        """Fail as a full storage does."""
        raise Transient("storage_full", "no room")
