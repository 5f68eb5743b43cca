"""A connection that is kept: its answers are redis-py's, and it is replaced when it is lost."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from redis import Redis
from redis import asyncio as aio
from redis.asyncio.connection import Connection
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from infra.local.redis.server import RedisServer
from tests.faults.proxy import Proxy
from tests.faults.waiting import until
from webhook.redis.address import RedisAddress
from webhook.redis.clients import async_client
from webhook.redis.connections import RedisUnavailable
from webhook.redis.replicas import Argument
from webhook.redis.standing_connection import StandingConnection, packed, plain_answers

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[True, False], ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """The loop of Linux and macOS, and that of other systems."""
    return "asyncio", {"use_uvloop": request.param}


@asynccontextmanager
async def client_of(
    url: str, *, seconds: float = 5, retries: int = 2, protocol: int = 3
) -> AsyncIterator[aio.Redis]:
    """Provide a client of the Redis at `url`."""
    retry = Retry(ConstantBackoff(0.05), retries)
    options = {"socket_timeout": seconds, "protocol": protocol}
    redis = async_client(RedisAddress.parse(url), retry=retry, **options)
    yield redis
    await redis.aclose()


@asynccontextmanager
async def standing(url: str, **options: Any) -> AsyncIterator[StandingConnection]:
    """Provide a standing connection to the Redis at `url`."""
    async with client_of(url, **options) as redis:
        yield StandingConnection(redis.connection_pool)


async def name(connection: StandingConnection) -> object:
    """Return the server's number of the connection."""
    [number] = await connection.ask([("CLIENT", "ID")])
    return number


PLAIN: Sequence[Sequence[Argument]] = [
    ("SET", "a", b"\r\n two lines"),
    ("GET", "nothing"),
    ("EVAL", "return {1, {'x', false}, 'y', {}}", 0),
]
OTHERS: Sequence[Sequence[Argument]] = [
    ("GET", "a"),
    ("EVAL", "return redis.error_reply('ERR wrong')", 0),
    ("CONFIG", "GET", "maxmemory"),
]


async def by_redis_py(redis: aio.Redis, commands: Sequence[Sequence[Argument]]) -> list[object]:
    """Return what redis-py reads as the answers."""
    connection: Any = await redis.connection_pool.get_connection()  # type: ignore[no-untyped-call]
    answers: list[object] = []
    for command in commands:
        await connection.send_command(*command)
        try:
            answers.append(await connection.read_response())
        except ResponseError as error:
            answers.append(error)
    await redis.connection_pool.release(connection)
    return answers


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("commands", [PLAIN, [*PLAIN, *OTHERS]], ids=["plain", "all"])
async def test_answers_are_those_of_redis_py(
    redis_url: str, protocol: int, commands: Sequence[Sequence[Argument]]
) -> None:
    """Numbers, texts, nulls, arrays, errors and maps, whoever reads them."""
    async with client_of(redis_url, protocol=protocol) as redis:
        expected = await by_redis_py(redis, commands)
        answers = await StandingConnection(redis.connection_pool).ask(commands)
    assert [_comparable(each) for each in expected] == [_comparable(each) for each in answers]


def _comparable(answer: object) -> object:
    return str(answer) if isinstance(answer, ResponseError) else answer


def test_commands_are_packed_as_by_redis_py() -> None:
    """Numbers, texts and bytes are the same bytes."""
    commands: list[Sequence[Argument]] = [("SET", "clé", b"\r\n\x00", 1.5, 7), ("ROLE",)]
    assert b"".join(Connection().pack_commands(commands)) == packed(commands)


ROLE = b"*3\r\n$6\r\nmaster\r\n:7\r\n*1\r\n*3\r\n$9\r\n127.0.0.1\r\n$4\r\n6380\r\n$1\r\n7\r\n"


def test_a_piece_of_the_answers_is_not_taken_for_all() -> None:
    """Wherever the data is cut, more is awaited or redis-py reads it; nothing is misread."""
    data = b"_\r\n:12\r\n" + ROLE
    expected = [None, 12, [b"master", 7, [[b"127.0.0.1", b"6380", b"7"]]]]
    assert expected == plain_answers(data, 3)
    for end in range(len(data)):
        try:
            assert plain_answers(data[:end], 3) is None
        except ValueError:
            continue


@pytest.mark.parametrize("data", [b"-ERR x\r\n:1\r\n", b"%0\r\n:1\r\n", b":1\r\n:2\r\n:3\r\n"])
def test_what_is_not_plain_is_left_to_redis_py(data: bytes) -> None:
    """Errors, other kinds, and more answers than commands."""
    with pytest.raises(ValueError):
        plain_answers(data, 2)


async def test_one_connection_serves_one_round_trip_after_the_other(redis_url: str) -> None:
    """It is kept after errors of commands too; at the same time there are two."""
    async with standing(redis_url) as connection:
        first = await name(connection)
        [error] = await connection.ask([("NONSENSE",)])
        assert isinstance(error, ResponseError)
        assert first == await name(connection)
        assert 2 == len(set(await asyncio.gather(name(connection), name(connection))))


async def blocked(redis: Redis) -> None:
    """Wait until a client waits for an element of a list."""
    is_blocked = lambda: redis.info("clients")["blocked_clients"] == 1  # noqa: E731
    await asyncio.to_thread(until, is_blocked, "a client is blocked", 20)


async def test_a_connection_that_was_closed_is_replaced(redis_url: str) -> None:
    """Whether it is lost while idle or while an answer is awaited, the caller sees nothing."""
    async with standing(redis_url) as connection:
        first = await name(connection)
        with Redis.from_url(redis_url) as other:
            other.execute_command("CLIENT", "KILL", "ID", first)
            second = await name(connection)
            waiting = asyncio.create_task(connection.ask([("BLPOP", "list", 0)]))
            await blocked(other)
            other.execute_command("CLIENT", "KILL", "ID", second)
            await blocked(other)
            other.rpush("list", "late")
        assert [[b"list", b"late"]] == await waiting
        assert 3 == len({first, second, await name(connection)})


@pytest.fixture
def proxy(redis_server: RedisServer) -> Iterator[Proxy]:
    """A network to Redis that breaks."""
    with Proxy(redis_server.port) as running:
        yield running


@pytest.mark.parametrize("broken", [Proxy.cut, Proxy.abandon])
async def test_a_connection_that_the_network_lost_is_replaced(
    redis_url: str, proxy: Proxy, broken: Callable[[Proxy], int]
) -> None:
    """Reset or silent, idle or while an answer is awaited: the caller only waits longer."""
    url = redis_url.replace(f":{urlsplit(redis_url).port}/", f":{proxy.port}/")
    async with standing(url, seconds=0.5) as connection:
        first = await name(connection)
        assert broken(proxy)
        second = await name(connection)
        with Redis.from_url(redis_url) as other:
            waiting = asyncio.create_task(connection.ask([("BLPOP", "list", 0)]))
            await blocked(other)
            assert broken(proxy)
            other.rpush("list", "late", "again")
        assert await waiting in ([[b"list", b"late"]], [[b"list", b"again"]])
        assert 3 == len({first, second, await name(connection)})


async def test_no_answer_is_taken_for_that_of_another_command(redis_url: str) -> None:
    """A caller that is cancelled leaves no answer behind for the next one."""
    async with standing(redis_url) as connection:
        await name(connection)
        with Redis.from_url(redis_url) as other:
            waiting = asyncio.create_task(connection.ask([("BLPOP", "list", 0)]))
            await blocked(other)
            waiting.cancel()
            await asyncio.wait([waiting])
            other.rpush("list", "late")
        assert [b"PONG"] == await connection.ask([("PING",)])


async def test_a_redis_that_hangs_raises_in_time(tmp_path: Path) -> None:
    """Without retries after the time limit of the connection."""
    with RedisServer.start(tmp_path) as server:
        async with standing(server.url, seconds=0.3, retries=0) as connection:
            await name(connection)
            os.kill(server.pid, signal.SIGSTOP)
            try:
                async with asyncio.timeout(5):
                    with pytest.raises(RedisTimeoutError, match=r"within 0\.3 s"):
                        await name(connection)
            finally:
                os.kill(server.pid, signal.SIGCONT)
            assert isinstance(await name(connection), int)


async def test_a_demoted_primary_is_left(redis_url: str) -> None:
    """Its READONLY is a lost connection, since a new one may reach its successor."""
    async with standing(redis_url, retries=0) as connection:
        first = await name(connection)
        with Redis.from_url(redis_url) as other:
            other.replicaof("127.0.0.1", 1)
            try:
                with pytest.raises(RedisUnavailable, match="READONLY"):
                    await connection.ask([("SET", "a", 1), ("ROLE",)])
            finally:
                other.slaveof()
        assert first != await name(connection)
