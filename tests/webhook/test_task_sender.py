"""Prepared messages on Redis; tests/webhook/test_rabbitmq.py has those on RabbitMQ."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from celery import Celery, signals
from kombu.exceptions import OperationalError
from redis import Redis

from infra.local.redis.server import RedisServer
from tests.factories.messages import without_ids
from webhook.contract import ROUTES, Queue, Task
from webhook.publisher import publishing_app
from webhook.task_sender import TaskSender

TASKS = sorted(set(Task) - {Task.CREATE, Task.SWEEP, Task.RETAIN})


def entries(url: str, queue: str) -> list[dict[str, Any]]:
    """Take the entries of a queue in Redis, oldest first."""
    with Redis.from_url(url) as redis:
        taken = redis.lrange(queue, 0, -1)[::-1]
        redis.delete(queue)
    return [json.loads(entry) for entry in taken]


@pytest.mark.parametrize("task", TASKS)
def test_redis_gets_what_celery_itself_would_write(redis_url: str, task: Task) -> None:
    """The entry has the same fields in the same order, and the same values but for the ids."""
    app = publishing_app(redis_url)
    send = TaskSender(app)
    for argument in ("job-1", ["job-1", "job-2"]):
        app.send_task(task, args=[argument])
        send(task, "another")
        send(task, argument)
        celerys, _, ours = entries(redis_url, ROUTES[task])
        assert json.dumps(without_ids(celerys)) == json.dumps(without_ids(ours))
        assert ours["headers"]["id"] == ours["headers"]["root_id"]
        assert ours["headers"]["id"] == ours["properties"]["correlation_id"]
        assert ours["properties"]["delivery_tag"] != celerys["properties"]["delivery_tag"]
    app.close()


def test_messages_that_are_sent_together_are_those_that_are_sent_alone(redis_url: str) -> None:
    """They are in the queue in their order, and nothing of them differs but the ids."""
    app = publishing_app(redis_url)
    send = TaskSender(app)
    jobs = ["job-1", "job-2", "job-3"]
    for job in jobs:
        send(Task.SUBMIT, job)
    alone = entries(redis_url, ROUTES[Task.SUBMIT])
    with Redis.from_url(redis_url) as redis:
        redis.config_resetstat()
        send.together(Task.SUBMIT, jobs)
        events = int(redis.info("stats")["total_reads_processed"])
    together = entries(redis_url, ROUTES[Task.SUBMIT])
    assert json.dumps([*map(without_ids, alone)]) == json.dumps([*map(without_ids, together)])
    assert 3 == len({entry["headers"]["id"] for entry in together})
    # CONFIG and INFO are read too: one write of the sender was the three messages.
    assert events <= len(jobs)
    app.close()


def test_each_message_has_an_id_of_its_own(redis_url: str) -> None:
    """Also if many threads send at once."""
    app = publishing_app(redis_url)
    send = TaskSender(app)
    threads = [threading.Thread(target=send, args=(Task.SUBMIT, f"job-{n}")) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sent = entries(redis_url, Queue.SUBMIT)
    assert 20 == len({entry["headers"]["id"] for entry in sent})
    assert 20 == len({entry["body"] for entry in sent})
    app.close()


@contextmanager
def listening(heard: list[str]) -> Iterator[None]:
    """Note the task of each message that is about to be published."""

    def note(sender: str, **_fields: object) -> None:
        heard.append(sender)

    signals.before_task_publish.connect(note)
    try:
        yield
    finally:
        signals.before_task_publish.disconnect(note)


def test_who_listens_to_celerys_signals_hears_of_each_message(redis_url: str) -> None:
    """As tracing libraries do, which add headers to messages."""
    app, heard = publishing_app(redis_url), list[str]()
    send = TaskSender(app)
    send(Task.SUBMIT, "job-1")
    with listening(heard):
        send(Task.SUBMIT, "job-2")
    assert [Task.SUBMIT] == heard
    assert 2 == len(entries(redis_url, Queue.SUBMIT))
    app.close()


def test_a_lost_connection_is_replaced_and_a_broker_that_is_away_raises(tmp_path: Path) -> None:
    """The messages after a restart of Redis are written as those before it."""
    with RedisServer.start(tmp_path) as server:
        app: Celery = publishing_app(server.url)
        send = TaskSender(app, retry_policy={"max_retries": 1, "interval_start": 0})
        send(Task.SUBMIT, "before")
        server.kill()
        with pytest.raises(OperationalError):
            send(Task.SUBMIT, "during")
        server.restart()
        send(Task.SUBMIT, "after")
        assert 2 == len(entries(server.url, Queue.SUBMIT))
        app.close()
