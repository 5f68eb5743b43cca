"""RabbitMQ as Celery's broker, Redis for the inbox; skipped if RabbitMQ is not installed."""

import json
import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.local.supervisor.process_guard import ProcessGuard
from tests.bench.jobs import Ledger
from tests.bench.load import LoadPlan
from tests.bench.programs import WORKER, celery, environment
from tests.factories.callbacks import Host, host, receiver_settings, serving, signed
from tests.factories.messages import without_ids
from tests.factories.rabbitmq import MISSING, PROGRAM, rabbitmq_server
from webhook.app import create_app
from webhook.contract import Queue, Task
from webhook.publisher import WakePublisher, publishing_app
from webhook.task_sender import TaskSender

COUNT = 20


@pytest.fixture(scope="module")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a RabbitMQ for these tests."""
    if not PROGRAM.exists():
        pytest.skip(MISSING)
    with rabbitmq_server(tmp_path_factory.mktemp("rabbitmq")) as url:
        yield url


@pytest.fixture
def key_host() -> Iterator[Host]:
    """fal's key host."""
    with host() as served:
        yield served


def test_a_wake_is_the_same_message_as_on_redis(rabbitmq: str) -> None:
    """It is in the queue that worker and publisher both declare."""
    sent: queue.Queue[bool] = queue.Queue()
    app = publishing_app(rabbitmq)
    wakes = WakePublisher(app, count=sent.put)
    wakes.start()
    wakes(["job-1", "job-2"])
    assert sent.get(timeout=10)
    with app.connection_for_read() as connection:
        declared: Any = app.amqp.queues[Queue.CALLBACKS]
        message = connection.SimpleQueue(declared).get(timeout=10)
        message.ack()
    wakes.stop()
    assert Task.INGEST == message.headers["task"]
    assert [["job-1", "job-2"]] == message.payload[0]


def test_a_prepared_message_is_the_one_that_celery_would_send(rabbitmq: str) -> None:
    """Exchange, routing key, headers, properties and body are the same but for the ids."""
    app = publishing_app(rabbitmq)
    app.send_task(Task.SUBMIT, args=["job-1"])
    TaskSender(app)(Task.SUBMIT, "job-1")
    with app.connection_for_read() as connection:
        declared: Any = app.amqp.queues[Queue.SUBMIT]
        queue = connection.SimpleQueue(declared)
        celerys, ours = (queue.get(timeout=10) for _ in range(2))
        celerys.ack()
        ours.ack()
    app.close()
    assert celerys.payload == ours.payload
    assert without_ids(celerys.headers) == without_ids(ours.headers)
    assert without_ids(celerys.properties) == without_ids(ours.properties)
    for name in ("exchange", "routing_key"):
        assert celerys.delivery_info[name] == ours.delivery_info[name]


def post(client: httpx.Client, plan: LoadPlan) -> None:
    """Post the callbacks of a plan; each is accepted."""
    for number in range(plan.count):
        assert 200 == signed(f"{plan.prefix}-{number}").post(client).status_code


def test_a_real_worker_ingests_woken_jobs(
    rabbitmq: str, redis_url: str, key_host: Host, tmp_path: Path
) -> None:
    """Wakes alone bring every callback to its record: no sweep runs here."""
    settings = receiver_settings(redis_url, key_host.url, FALHOOK_BROKER_URL=rabbitmq)
    environ = environment(redis_url, key_host.url, tmp_path)
    ledger, plan = Ledger(redis_url), LoadPlan(port=0, prefix="job", count=COUNT)
    ledger.add(plan)
    guard, log = ProcessGuard(), tmp_path / "worker.log"
    with (
        serving(create_app(settings)) as client,
        celery(guard, WORKER, {**environ, "FALHOOK_BROKER_URL": rabbitmq}, log),
    ):
        ready = client.get("/readyz").json()
        post(client, plan)
        ledger.accepted = COUNT
        ledger.ingest()
    guard.close()
    ledger.close()
    assert {"redis": "ok", "broker": "ok", "keys": "ok"} == ready, json.dumps(ready)
    assert COUNT == ledger.ingested
