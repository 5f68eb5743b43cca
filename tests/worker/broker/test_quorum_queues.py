"""falhook.create over RabbitMQ's quorum queues; skipped if RabbitMQ is not installed."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker

from tests.factories.rabbitmq import MISSING, PROGRAM, rabbitmq_server
from webhook.contract import Queue, Task
from webhook.settings.settings import Connections
from worker.broker.client import client
from worker.broker.earlier_queues import mover
from worker.errors import Transient
from worker.operations.create_task import CreateTask
from worker.operations.request import JobRequest

PATIENCE = 60.0
REDIS = "redis://127.0.0.1:1/0"  # of the records, which nothing here touches
# Seconds; the delays of RabbitMQ are whole ones.
WAIT = 2.0


class Receipts:
    """Refuses each request twice, then counts it as received."""

    def __init__(self) -> None:
        self.tries = 0
        self.received = threading.Semaphore(0)

    def receive(self, _request: JobRequest, _message: str) -> None:
        """Take the place of `Intake.receive`."""
        self.tries += 1
        if self.tries % 3:
            raise Transient("storage_unavailable", "no answer")
        self.received.release()


@pytest.fixture
def rabbitmq(tmp_path: Path) -> Iterator[str]:
    """The address of a RabbitMQ."""
    if not PROGRAM.exists():
        pytest.skip(MISSING)
    with rabbitmq_server(tmp_path) as url:
        yield url


def send(app: Celery, countdown: float | None = None) -> None:
    """Send a creation as any Celery client does."""
    kwargs = {"endpoint": "x"}
    app.send_task(Task.CREATE, kwargs=kwargs, queue="falhook.submit", countdown=countdown)


@pytest.mark.timeout(240)
def test_creations_of_any_client_arrive(rabbitmq: str, capfd: pytest.CaptureFixture[str]) -> None:
    """They wait in a classic queue until the sweep moves them; a delay and retries hold up none."""
    app = client(Connections.from_env({"REDIS_URL": REDIS, "FALHOOK_BROKER_URL": rabbitmq}))
    receipts = Receipts()
    CreateTask(intake=receipts, wait=lambda _tries: WAIT).register(app)  # type: ignore[arg-type]
    app.conf.update(task_acks_late=True, worker_prefetch_multiplier=1)
    move: Callable[[], int] = mover(app, rabbitmq)
    with (
        Celery("another", broker=rabbitmq) as plain,
        app,
        start_worker(
            app,
            pool="threads",
            concurrency=1,
            perform_ping_check=False,
            queues=[Queue.SUBMIT],
            shutdown_timeout=PATIENCE,
        ),
    ):
        send(plain, countdown=3600)
        send(plain)
        assert 2 == move()
        assert receipts.received.acquire(timeout=PATIENCE)
        send(app)
        assert receipts.received.acquire(timeout=PATIENCE)
    assert 6 == receipts.tries
    assert "Failed to bind" not in capfd.readouterr().err
