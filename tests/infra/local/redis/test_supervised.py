"""The Redis of a stack: the given one, or an embedded one that comes back."""

from pathlib import Path

import pytest
import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from infra.local.redis.binary import RedisNotStarted
from infra.local.redis.server import RedisServer
from infra.local.redis.supervised import kept_running, redis_for
from tests.factories.processes import await_end


def test_redis_url_is_used_and_nothing_started(redis_url: str, tmp_path: Path) -> None:
    """With REDIS_URL set, that one is given and no embedded server is started."""
    with redis_for({"REDIS_URL": redis_url}, tmp_path / "redis") as url:
        assert redis_url == url
    assert not (tmp_path / "redis").exists()


@pytest.mark.parametrize("environ", [{}, {"REDIS_URL": ""}])
def test_without_redis_url_one_is_started_and_ended(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    """Without REDIS_URL an embedded server answers within the block and is gone after it."""
    with redis_for(environ, tmp_path) as url, redis.Redis.from_url(url) as client:
        pid = client.info("server")["process_id"]
    await_end(pid, seconds=0)


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "nonsense"])
def test_a_redis_that_does_not_answer_is_named(tmp_path: Path, url: str) -> None:
    """A REDIS_URL at which nothing answers is told at once, and nothing is started instead."""
    with (
        pytest.raises(RedisNotStarted, match="REDIS_URL"),
        redis_for({"REDIS_URL": url}, tmp_path / "redis"),
    ):
        pass
    assert not (tmp_path / "redis").exists()


def test_an_embedded_server_that_is_killed_comes_back_with_its_data(tmp_path: Path) -> None:
    """After SIGKILL the same address answers again, and what was written is there."""
    patient = Retry(ConstantBackoff(0.05), 200, supported_errors=(redis.ConnectionError,))
    with (
        RedisServer.start(tmp_path) as server,
        kept_running(server),
        redis.Redis.from_url(server.url, retry=patient) as client,
    ):
        client.set("paid", "yes")
        server.kill()
        assert b"yes" == client.get("paid")
