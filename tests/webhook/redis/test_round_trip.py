"""Round trips over connections that stay open: one write for all commands, errors as answers."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from infra.local.redis.server import RedisServer
from tests.factories.redis_urls import deployment
from tests.faults.proxy import Proxy
from webhook.redis.round_trip import as_record, ask
from worker.jobs.store import connect


def test_answers_are_in_the_order_of_the_commands(redis_url: str) -> None:
    """The error of a command is its answer, and those after it are carried out."""
    with connect(redis_url) as redis:
        answers = ask(redis, [("SET", "a", 1), ("INCR", "b"), ("LPUSH", "a", "x"), ("GET", "a")])
        assert [1, "1"] == [answers[1], answers[3]]
        assert isinstance(answers[2], ResponseError)
        ask(redis, [("HSET", "h", "name", "value", "other", "ä")])
        assert {"name": "value", "other": "ä"} == as_record(ask(redis, [("HGETALL", "h")])[0])


def test_one_caller_needs_one_connection(redis_url: str) -> None:
    """It is kept, and many callers at once have one each."""
    with connect(redis_url) as redis, Redis.from_url(redis_url) as other:
        before = len(other.client_list())
        for _ in range(20):
            ask(redis, [("PING",)])
        assert before + 1 == len(other.client_list())
        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(lambda n: ask(redis, [("ECHO", n)]), range(200)))
        assert [[str(n)] for n in range(200)] == answers
        assert len(other.client_list()) <= before + 4


def test_a_lost_connection_is_replaced(redis_url: str) -> None:
    """Redis, or the network, may have closed it meanwhile."""
    with connect(redis_url) as redis, Redis.from_url(redis_url) as other:
        ask(redis, [("PING",)])
        other.client_kill_filter(_type="normal", skipme=True)
        assert ["1"] == ask(redis, [("ECHO", 1)])


def test_no_caller_gets_the_answer_to_another(tmp_path: Path) -> None:
    """A connection on which an answer is late is closed: the next command has a new one."""
    with (
        RedisServer.start(tmp_path) as server,
        Proxy(server.port) as proxy,
        connect(server.url.replace(str(server.port), str(proxy.port))) as redis,
    ):
        ask(redis, [("PING",)])
        proxy.refuse()
        with pytest.raises(RedisConnectionError):
            ask(redis, [("ECHO", "first")])
        proxy.accept()
        assert ["second"] == ask(redis, [("ECHO", "second")])


def test_a_forked_process_has_connections_of_its_own(redis_url: str) -> None:
    """Two processes that read from one connection would take each other's answers."""
    with connect(redis_url) as redis:
        (own,) = ask(redis, [("CLIENT", "ID")])
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.write(writer, str(ask(redis, [("CLIENT", "ID")])[0]).encode())
            os._exit(0)
        os.waitpid(child, 0)
        assert own != int(os.read(reader, 32))
        assert [own] == ask(redis, [("CLIENT", "ID")])


def test_a_cluster(tmp_path: Path) -> None:
    """Each command goes to the node of its key."""
    with deployment("cluster", tmp_path) as url, connect(url) as redis:
        keys = [f"key{number}" for number in range(20)]
        assert [1] * 20 == ask(redis, [("INCR", key) for key in keys])
        assert ["1"] * 20 == ask(redis, [("GET", key) for key in keys])
