"""The Redis of a stack: that of REDIS_URL, or an embedded one that is restarted."""

from pathlib import Path

import pytest
import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from infra.local.redis.binary import RedisNotStarted
from infra.local.redis.server import RedisServer
from infra.local.redis.supervised import keep_running, redis_for
from tests.factories.processes import await_end


def ignored(_name: str, _line: bytes) -> None:
    """Take a line of output."""


def test_redis_url_is_used_and_nothing_is_started(redis_url: str, tmp_path: Path) -> None:
    """If REDIS_URL is set, that Redis is used and no embedded server is started."""
    with redis_for({"REDIS_URL": redis_url}, tmp_path / "redis", ignored) as url:
        assert redis_url == url
    assert not (tmp_path / "redis").exists()


@pytest.mark.parametrize("environ", [{}, {"REDIS_URL": ""}])
def test_without_redis_url_a_server_is_started_and_stopped(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    """Without REDIS_URL an embedded server runs during the block."""
    with redis_for(environ, tmp_path, ignored) as url, redis.Redis.from_url(url) as client:
        pid = client.info("server")["process_id"]
    await_end(pid, seconds=0)


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "nonsense"])
def test_an_unusable_redis_url_is_reported(tmp_path: Path, url: str) -> None:
    """The error names REDIS_URL if nothing answers there, and no server is started."""
    with (
        pytest.raises(RedisNotStarted, match="REDIS_URL"),
        redis_for({"REDIS_URL": url}, tmp_path / "redis", ignored),
    ):
        pass
    assert not (tmp_path / "redis").exists()


def test_a_killed_embedded_server_restarts_with_its_data(tmp_path: Path) -> None:
    """After SIGKILL the same URL answers again with the same data."""
    patient = Retry(ConstantBackoff(0.05), 200, supported_errors=(redis.ConnectionError,))
    with (
        RedisServer.start(tmp_path) as server,
        keep_running(server, ignored),
        redis.Redis.from_url(server.url, retry=patient) as client,
    ):
        client.set("paid", "yes")
        server.kill()
        assert b"yes" == client.get("paid")
