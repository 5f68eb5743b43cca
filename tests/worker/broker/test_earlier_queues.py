"""Messages in queues of earlier versions: ours are moved, those of others stay."""

import json

import pytest
from celery import Celery
from kombu import Queue as Declaration

from tests.factories.queue_entries import create, encoded, invalid_entries
from webhook.contract import EARLIER, Queue
from worker.broker.earlier_queues import is_ours, mover


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


def test_only_falhooks_tasks_are_ours() -> None:
    """Both versions of Celery's protocol are read; anything else is somebody's."""
    old = json.dumps({"body": encoded({"task": "falhook.create", "id": "m"}), "headers": {}})
    assert is_ours(create({}, "m"))
    assert is_ours(old)
    foreign = json.dumps({"body": encoded({"task": "other", "id": "m"}), "headers": {}})
    assert not any(map(is_ours, [foreign, "junk", "[]", "5", b"\xff", invalid_entries()[7]]))
