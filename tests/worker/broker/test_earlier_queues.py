"""Messages in queues of earlier versions: ours are moved, those of others stay."""

import json
from pathlib import Path

import pytest
from celery import Celery
from kombu import Queue as Declaration

from tests.factories.queue_entries import create, encoded, invalid_entries
from tests.factories.rabbitmq import MISSING, PROGRAM, rabbitmq_server
from webhook.contract import EARLIER, Queue, Task
from webhook.settings.settings import Connections
from worker.broker.client import client
from worker.broker.earlier_queues import is_ours, mover

REDIS = "redis://127.0.0.1:1/0"  # of the records, which the mover does not touch


def waiting(app: Celery, name: str) -> list[str]:
    """Take all messages of a queue; return the ids in their headers."""
    found = []
    with app.connection_for_read() as connection, connection.channel() as channel:
        while message := Declaration(name, channel=channel).get(no_ack=True):
            found.append(message.headers["id"])
    return found


@pytest.mark.parametrize("name", ["falhook.create", "falhook.submit"])
def test_a_broker_other_than_redis(name: str) -> None:
    """The mover goes on until a message of another application, which stays."""
    app = Celery("other", broker="memory://")
    queues = [Declaration(queue, routing_key=queue) for queue in Queue]
    app.conf.task_queues = [*queues, *map(Declaration, EARLIER.values())]
    earlier, queue = EARLIER[Queue.SUBMIT], Queue.SUBMIT
    for number, task in enumerate([name, name, "other.task", name]):
        app.send_task(task, ["job"], task_id=f"m{number}", queue=earlier)
    assert 2 == mover(app, "amqp://mq//", visibility_timeout=1)()
    # RabbitMQ puts a message back in its place, this transport at the end.
    assert (["m0", "m1"], {"m2", "m3"}) == (waiting(app, queue), set(waiting(app, earlier)))
    app.close()


def test_rabbitmq(tmp_path: Path) -> None:
    """On RabbitMQ each message of another application is put back where it was."""
    if not PROGRAM.exists():
        pytest.skip(MISSING)
    earlier, queue = EARLIER[Queue.SUBMIT], Queue.SUBMIT
    with rabbitmq_server(tmp_path) as url:
        old = Celery("old", broker=url)
        old.conf.task_queues = [Declaration(name) for name in EARLIER.values() if name == earlier]
        for number, task in enumerate([Task.CREATE, Task.SUBMIT, "other.task", Task.CREATE]):
            old.send_task(task, ["job"], task_id=f"m{number}", queue=earlier)
        ours = client(Connections.from_env({"REDIS_URL": REDIS, "FALHOOK_BROKER_URL": url}))
        move = mover(ours, url, visibility_timeout=1)
        assert [2, 0] == [move(), move()]
        assert ["m0", "m1"] == waiting(ours, ours.amqp.queues[queue].name)
        assert ["m2", "m3"] == waiting(old, earlier)
        old.close()
        ours.close()


def test_only_falhooks_tasks_are_ours() -> None:
    """Both versions of Celery's protocol are read; anything else is somebody's."""
    old = json.dumps({"body": encoded({"task": "falhook.create", "id": "m"}), "headers": {}})
    assert is_ours(create({}, "m"))
    assert is_ours(old)
    foreign = json.dumps({"body": encoded({"task": "other", "id": "m"}), "headers": {}})
    assert not any(map(is_ours, [foreign, "junk", "[]", "5", b"\xff", invalid_entries()[7]]))
