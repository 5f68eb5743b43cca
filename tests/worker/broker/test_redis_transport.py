"""Messages that only wake stay in a worker's memory; those that create jobs are noted in Redis."""

from collections.abc import Iterator
from typing import Any

import pytest
from kombu import Connection, Consumer, Exchange
from kombu import Queue as Declaration
from redis import Redis

from webhook.contract import Queue, Task, celery_app
from webhook.redis.address import RedisAddress
from worker.broker.redis_transport import SCHEME, Channel

UNACKED = "falhook:unacked"


@pytest.fixture
def raw(redis_url: str) -> Iterator[Redis]:
    """The Redis of the queues."""
    with Redis.from_url(redis_url) as redis:
        yield redis


@pytest.fixture
def connection(redis_url: str) -> Iterator[Connection]:
    """A worker's connection to the queues."""
    options = {"address": RedisAddress.parse(redis_url)}
    app = celery_app(redis_url, redis=options, scheme=SCHEME)
    with app.connection_for_write() as connection:
        for task in (Task.CREATE, Task.SUBMIT):
            app.send_task(task, args=[task.value], connection=connection)
        yield connection


def take(connection: Connection, count: int) -> list[Any]:
    """Take messages and leave them unacknowledged."""
    taken: list[Any] = []
    channel = connection.default_channel
    assert isinstance(channel, Channel)
    queue = Declaration(Queue.SUBMIT, Exchange(Queue.SUBMIT), routing_key=Queue.SUBMIT)
    with Consumer(channel, [queue], callbacks=[lambda _, message: taken.append(message)]):
        while len(taken) < count:
            connection.drain_events(timeout=5)
    return taken


def names(messages: list[Any]) -> set[str]:
    """Return the tasks of these messages."""
    return {message.headers["task"] for message in messages}


def test_only_messages_that_carry_something_are_noted(connection: Connection, raw: Redis) -> None:
    """Of a creation and a wake, Redis notes the creation, until it is acknowledged."""
    messages = take(connection, 2)
    assert ({Task.CREATE, Task.SUBMIT}, 1) == (names(messages), raw.hlen(UNACKED))
    for message in messages:
        message.ack()
    assert (0, 0) == (raw.hlen(UNACKED), raw.llen(Queue.SUBMIT))


@pytest.mark.parametrize("way", ["reject", "shutdown"])
def test_what_was_not_handled_is_put_back(connection: Connection, raw: Redis, way: str) -> None:
    """A worker that stops returns both kinds to their queue."""
    messages = take(connection, 2)
    if way == "reject":
        for message in messages:
            message.requeue()
    else:
        connection.close()
    assert (0, 2) == (raw.hlen(UNACKED), raw.llen(Queue.SUBMIT))
    with connection.clone() as another:
        assert {Task.CREATE, Task.SUBMIT} == names(take(another, 2))
