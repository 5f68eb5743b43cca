"""One connection that is kept between round trips, each of which is one write and mostly one read.

redis-py takes a connection from its pool, checks it, and reads with a timer of its own for each
answer: four times the processor time of the round trip itself. What is rare stays redis-py's:
connecting, errors, retries, a connection that was idle.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import hiredis
from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.sentinel import SentinelManagedConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from webhook.redis.replicas import Argument

# Seconds after which an idle connection may have been cut: the pool and redis-py check it then.
FRESH = 5.0
# Seconds for the answers, if the connection has no timeout of its own.
_SECONDS = 5.0
# More than asyncio buffers of a connection, so that a read leaves nothing behind.
_EVERYTHING = 1 << 24


class StandingConnection:
    """A connection of `pool`; concurrent callers get further ones."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._kept: AbstractConnection | None = None
        self._used_at = 0.0

    async def ask(self, commands: Sequence[Sequence[Argument]]) -> Sequence[object]:
        """Send the commands in one write; return their answers, errors of commands among them.

        A lost connection is replaced as often as its `retry` allows: the commands may run more than
        once. Raises what redis-py raises.
        """
        connection = await self._take()
        try:
            answers: Sequence[object] = await connection.retry.call_with_retry(
                lambda: _round_trip(connection, commands),
                lambda _error: connection.disconnect(nowait=True),
            )
        except BaseException:
            # Answers that nobody reads may still arrive on it.
            with suppress(RedisConnectionError, RedisTimeoutError, OSError):
                await connection.disconnect(nowait=True)
            await self._pool.release(connection)
            raise
        await self._keep(connection)
        return answers

    async def _take(self) -> AbstractConnection:
        kept, self._kept = self._kept, None
        if kept is not None:
            if _now() - self._used_at < FRESH and _is_open(kept):
                return kept
            await self._pool.release(kept)
        taken: Any = await self._pool.get_connection()  # type: ignore[no-untyped-call]
        try:
            await taken.check_health()
        except BaseException:
            await self._pool.release(taken)
            raise
        connection: AbstractConnection = taken
        return connection

    async def _keep(self, connection: AbstractConnection) -> None:
        if self._kept is None:
            self._kept, self._used_at = connection, _now()
        else:
            await self._pool.release(connection)


def _is_open(connection: AbstractConnection) -> bool:
    # redis-py's own check reads in a task with a timer.
    reader, writer = connection._reader, connection._writer  # noqa: SLF001
    if reader is None or writer is None:
        return False
    return not (reader.at_eof() or writer.is_closing())


async def _round_trip(
    connection: AbstractConnection, commands: Sequence[Sequence[Argument]]
) -> Sequence[object]:
    if not connection.is_connected:
        await connection.connect()  # type: ignore[no-untyped-call]
    if isinstance(connection, SentinelManagedConnection):
        # Ours asks the sentinels now and then (connections.py).
        await connection.send_packed_command([packed(commands)], check_health=False)
    reader, writer = connection._reader, connection._writer  # noqa: SLF001
    assert reader is not None
    assert writer is not None
    if not isinstance(connection, SentinelManagedConnection):
        writer.write(packed(commands))
    seconds = connection.socket_timeout or _SECONDS
    ends = _now() + seconds
    timer = asyncio.get_running_loop().call_later(seconds, writer.transport.abort)
    try:
        answers = await _read(reader, len(commands))
    except EOFError:
        if _now() >= ends:
            raise RedisTimeoutError(f"no answer from Redis within {seconds:g} s") from None
        raise RedisConnectionError("Redis closed the connection") from None
    except OSError as error:
        raise RedisConnectionError(f"the connection to Redis was lost ({error})") from error
    finally:
        timer.cancel()
    return answers or [await _answer(connection) for _ in commands]


async def _read(reader: asyncio.StreamReader, count: int) -> Sequence[object] | None:
    """Return plain answers; None if some are not, which redis-py then reads. Raises EOFError."""
    data = b""
    while True:
        more = await reader.read(_EVERYTHING)
        if not more:
            raise EOFError
        data += more
        try:
            answers = plain_answers(data, count)
        except ValueError:
            reader.feed_data(data)
            return None
        if answers is not None:
            return answers


async def _answer(connection: AbstractConnection) -> object:
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error


def packed(commands: Sequence[Sequence[Argument]]) -> bytes:
    """Return the bytes of the commands (https://redis.io/docs/latest/develop/reference/protocol-spec/)."""
    return b"".join(map(_packed, commands))


def _packed(command: Sequence[Argument]) -> bytes:
    parts = [b"*%d\r\n" % len(command)]
    for argument in command:
        if type(argument) is bytes:
            value = argument
        elif isinstance(argument, str):
            value = argument.encode()
        else:
            value = argument if isinstance(argument, bytes) else repr(argument).encode()
        parts += (b"$%d\r\n" % len(value), value, b"\r\n")
    return b"".join(parts)


def plain_answers(data: bytes, count: int) -> Sequence[object] | None:
    """Return `count` answers that are numbers, texts, nulls or arrays; None if some are missing.

    Raises ValueError if one is of another kind, such as an error.
    """
    reader = hiredis.Reader(
        protocolError=ValueError, replyError=_not_plain, notEnoughData=_Incomplete
    )
    reader.feed(data)
    answers = []
    for _ in range(count):
        answer = reader.gets()
        if answer is _Incomplete:
            return None
        if type(answer) not in _PLAIN:
            raise ValueError("not a plain answer")
        answers.append(answer)
    if reader.has_data():
        raise ValueError("more answers than commands")
    return answers


class _Incomplete:
    """What stands for an answer that is not complete."""


_PLAIN = frozenset({int, bytes, type(None), list})


def _not_plain(words: str) -> Exception:
    raise ValueError(f"an error ({words})")


def _now() -> float:
    return asyncio.get_running_loop().time()
