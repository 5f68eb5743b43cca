"""Streams while servers stop, are killed, and come back."""

import contextlib
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from api.events.sse import Timing
from infra.local.redis.server import RedisServer
from infra.local.supervisor.process_guard import ProcessGuard
from tests import ROOT
from tests.api.events.conftest import Happen
from tests.bench.programs import free_port
from tests.factories.event_streams import StreamClient, serving_events
from tests.faults.waiting import until
from worker.jobs.store import JobStore, connect


class ServerProcess:
    """A server of streams as a process of its own, on one port however often it starts."""

    def __init__(self, redis_url: str, **timing: float) -> None:
        self.port = free_port()
        self._arguments = (redis_url, str(self.port), json.dumps(timing))
        self._guard = ProcessGuard()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; a client that connects too early tries again."""
        self.process = self._guard.spawn(
            [sys.executable, "-m", "tests.factories.event_streams", *self._arguments],
            output=subprocess.DEVNULL,
            environ={"PYTHONPATH": str(ROOT), "PATH": ""},
        )

    def await_start(self) -> None:
        """Return once it serves."""
        until(self._serves, "the server started", 30)

    def stop(self, *, kill: bool = False) -> float:
        """End it with SIGTERM or SIGKILL; return the seconds that it took."""
        assert self.process is not None
        began = time.monotonic()
        if kill:
            self.process.kill()
        else:
            self.process.terminate()
        self.process.wait(30)
        self._guard.release(self.process)
        return time.monotonic() - began

    def close(self) -> None:
        """End it."""
        self._guard.close()
        if self.process is not None:
            self.process.wait(30)

    def _serves(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException), StreamClient(self.port) as it:
            return 200 == it.response.status
        return False


class Reader:
    """A client that always connects again, as a browser does; `seen` are ids of events' jobs."""

    def __init__(self, port: int) -> None:
        self.seen: set[str] = set()
        self.controls: list[str] = []
        self.connections = 0
        self._port = port
        self._last_id = ""
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Reader":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException):
                self._read()
            self._ending.wait(0.1)

    def _read(self) -> None:
        with StreamClient(self._port, "name=created", last_id=self._last_id) as client:
            if client.response.status != 200:
                return
            self.connections += 1
            try:
                for line in client.lines():
                    self._note(client, line)
                    if self._ending.is_set():
                        return
            finally:
                self._last_id = client.last_id

    def _note(self, client: StreamClient, line: str) -> None:
        client.note(line)
        if line.startswith("event: "):
            self.controls.append(line)
        if line.startswith('data: {"id"'):
            self.seen.add(json.loads(line.removeprefix("data: "))["id"])


@pytest.fixture
def redis_server_(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that a test may kill."""
    with RedisServer.start(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def records(redis_server_: RedisServer) -> Iterator[JobStore]:
    """The records on it."""
    with connect(redis_server_.url) as redis:
        yield JobStore(redis)


@pytest.fixture
def server(redis_server_: RedisServer) -> Iterator[ServerProcess]:
    """A server of streams."""
    process = ServerProcess(redis_server_.url, ping=0.3, pace=0.05)
    process.start()
    process.await_start()
    yield process
    process.close()


def test_a_reader_misses_nothing_while_servers_restart(
    redis_server_: RedisServer, server: ServerProcess, happen: Happen
) -> None:
    """The API stopped and killed, Redis killed; events were written before, during and after."""
    numbers = count()
    expected: set[str] = set()

    def write(number: int) -> None:
        jobs = [f"job{next(numbers)}" for _ in range(number)]
        for job in jobs:
            happen(job=job)
        expected.update(jobs)

    def all_seen() -> bool:
        return expected <= reader.seen

    with Reader(server.port) as reader:
        until(lambda: reader.connections > 0, "the reader came", 20)
        write(5)
        until(all_seen, "all were seen", 20)
        for kill in (False, True):
            write(3)
            server.stop(kill=kill)
            write(20)
            server.start()
            write(3)
            until(all_seen, "all were seen after a restart", 40)
        redis_server_.kill()
        redis_server_.restart()
        write(20)
        until(all_seen, "all were seen after Redis", 40)
    assert expected == reader.seen
    # A stream that catches up just as Redis dies is reset.
    assert {"event: bye"} == set(reader.controls) - {"event: reset"}


def test_sigterm_ends_streams_with_bye_also_of_a_client_that_does_not_read(
    server: ServerProcess, happen: Happen
) -> None:
    """Within 2 s, and the time of the process itself."""
    with StreamClient(server.port) as client, StreamClient(server.port, buffer=4_096):
        for number in range(40):
            happen(job=f"{number}" + "x" * 20_000)
        client.events(40)
        took = server.stop()
        assert ([("bye", {})], True) == (list(client.frames()), took < 5)


def test_a_client_whose_network_is_cut_is_dropped(
    redis_server_: RedisServer, happen: Happen
) -> None:
    """Something between that stops reading, and never closes, does not hold the server up."""
    with (
        serving_events(redis_server_.url, timing=Timing(pace=0.01, send=0.5)) as served,
        SilentProxy(served.port) as proxy,
        StreamClient(proxy.port) as cut,
        StreamClient(served.port) as reads,
    ):
        happen()
        assert ["created"] == cut.names(1) == reads.names(1)
        proxy.silent.set()
        numbers = count()

        def dropped() -> bool:
            happen(job=f"{next(numbers)}" + "x" * 60_000)
            reads.names(1)
            return 1 == len(served.fan_out)

        until(dropped, "the client was dropped", 90)


class SilentProxy:
    """A proxy for one connection; once it is `silent` it reads nothing more, and closes nothing."""

    def __init__(self, port: int) -> None:
        self.silent = threading.Event()
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._forward)
        self._ended = threading.Event()

    def __enter__(self) -> "SilentProxy":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _forward(self) -> None:
        with self._listener, self._listener.accept()[0] as client, socket.socket() as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            server.connect(self._target)
            server.sendall(client.recv(65_536))
            server.settimeout(0.05)
            while not self.silent.is_set():
                with contextlib.suppress(TimeoutError):
                    client.sendall(server.recv(65_536))
            self._ended.wait()
