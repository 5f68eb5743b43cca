"""One round trip for several commands, over connections that stay open.

redis-py's pipeline costs twice as much: it takes its connection from a pool, wraps each answer, and
measures itself. What is rare stays redis-py's: connecting, errors, retries, health checks,
sentinels.
"""

import os
from collections import deque
from collections.abc import Sequence
from typing import Any

from redis import Redis
from redis.connection import ConnectionPool
from redis.exceptions import RedisError, ResponseError

from webhook.redis.clients import as_cluster
from webhook.redis.replicas import Argument

# The attribute of a pool with the connections that were taken from it and wait for the next
# commands. They refer to their pool, so that a dictionary of pools would keep both for ever.
_KEPT = "kept_for_round_trips"


def ask(redis: Redis, commands: Sequence[Sequence[Argument]]) -> list[Any]:
    """Return the answers to the commands, errors of single ones among them.

    The commands may run more than once, as with a pipeline. In a cluster each goes to the node of
    its keys. Raises what redis-py raises if Redis is away.
    """
    if as_cluster(redis) is not None:
        with redis.pipeline(transaction=False) as calls:
            for command in commands:
                calls.execute_command(*command)  # type: ignore[no-untyped-call]
            return calls.execute(raise_on_error=False)
    pool = redis.connection_pool
    kept: deque[Any] = vars(pool).setdefault(_KEPT, deque())
    connection = _taken(pool, kept)
    try:
        answers: list[Any] = connection.retry.call_with_retry(
            lambda: _round_trip(connection, commands), lambda _error: connection.disconnect()
        )
    except BaseException:
        # Answers that nobody reads may still arrive on it.
        connection.disconnect()
        pool.release(connection)
        raise
    kept.append(connection)
    return answers


def _taken(pool: ConnectionPool, kept: deque[Any]) -> Any:
    """Return a connection that is ready, one that was kept if there is any."""
    try:
        connection = kept.pop()
    except IndexError:
        return pool.get_connection()
    # A process that was forked from another must not write to its connections.
    if connection.pid != os.getpid():
        return pool.get_connection()
    try:
        # As the pool does: what can be read is the end of the connection, or a late answer.
        is_ready = not connection.can_read()
    except (RedisError, OSError):
        is_ready = False
    if not is_ready:
        connection.disconnect()  # the next command connects
    return connection


def _round_trip(connection: Any, commands: Sequence[Sequence[Argument]]) -> list[Any]:
    connection.send_packed_command(connection.pack_commands(commands))
    return [_answer(connection) for _ in commands]


def _answer(connection: Any) -> Any:
    try:
        return connection.read_response()
    except ResponseError as error:
        return error


def as_record(answer: Any) -> dict[str, str]:
    """Return the fields in the answer to HGETALL, a list in one version of the protocol."""
    return answer if isinstance(answer, dict) else dict(zip(*[iter(answer)] * 2, strict=True))
