"""Several receiver processes on one port: `python -m webhook` with WEB_CONCURRENCY."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from tests.bench.programs import environment
from tests.factories.callbacks import Host, host, signed
from tests.factories.processes import await_end
from tests.factories.receivers import receiver
from tests.factories.running_server import RunningServer
from tests.faults.waiting import until
from webhook.contract import INBOX
from webhook.processes.metrics_directory import PREFIX
from webhook.shards import all_keys


@pytest.fixture
def key_host() -> Iterator[Host]:
    """fal's key host."""
    with host() as served:
        yield served


@pytest.fixture
def environ(redis_url: str, key_host: Host, tmp_path: Path) -> dict[str, str]:
    """The environment of receivers, with a directory for temporary files of their own."""
    return {**environment(redis_url, key_host.url, tmp_path), "TMPDIR": str(tmp_path)}


@pytest.fixture
def two(environ: dict[str, str]) -> Iterator[RunningServer]:
    """A receiver of two processes."""
    with receiver(environ, WEB_CONCURRENCY="2") as running:
        yield running


def samples(client: httpx.Client) -> dict[str, float]:
    """Return the samples of /metrics by name and labels."""
    return {
        "".join((sample.name, *sample.labels.values())): sample.value
        for family in text_string_to_metric_families(client.get("/metrics").text)
        for sample in family.samples
    }


def directories(tmp_path: Path) -> list[Path]:
    """Return the directories of metrics."""
    return list(tmp_path.glob(f"{PREFIX}*"))


def connected(running: RunningServer) -> socket.socket:
    """Return a new connection."""
    return socket.create_connection(("127.0.0.1", running.port), timeout=30)


def test_metrics_of_any_process_are_those_of_all(two: RunningServer, redis_url: str) -> None:
    """Each answer adds up what both have counted and use; alerts have their zeros."""
    with two.client() as client:
        codes = [signed(f"job-{number}").post(client).status_code for number in range(40)]
        assert [200] * 40 == codes
        until(lambda: samples(client)["falhook_keys"] == 1.0, "both have fal's keys", 30)
        answers = [samples(client) for _ in range(10)]
    counted = {answer["falhook_callbacks_totalaccepted"] for answer in answers}
    assert {40.0} == counted
    assert {40.0} == {answer["falhook_callback_seconds_count"] for answer in answers}
    assert 0.0 == answers[0]["falhook_callbacks_totaloverloaded"]
    for name in ("process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"):
        assert answers[0][name] > 0, name
    assert not any("pid" in name for name in answers[0])
    with Redis.from_url(redis_url) as redis:
        assert 40 == sum(map(redis.zcard, all_keys(INBOX)))


def test_one_process_has_no_children(environ: dict[str, str], tmp_path: Path) -> None:
    """By default nothing is started, and no file is written."""
    with receiver(environ) as running:
        assert ([], []) == (running.children(), directories(tmp_path))


def test_a_killed_process_is_replaced(two: RunningServer) -> None:
    """Another one starts, and what the dead one has counted is not lost."""
    with two.client() as client:
        for number in range(20):
            signed(f"job-{number}").post(client)
        os.kill(two.children()[0], signal.SIGKILL)
        [line] = two.wait_for("receiver.replaced")
        assert (-signal.SIGKILL, 0) == (line["code"], line["process"])
        two.wait_for("receiver.started", 3)
        assert 2 == len(two.children())
        assert 200 == signed("job-20").post(client).status_code
        assert 21.0 == samples(client)["falhook_callbacks_totalaccepted"]


def test_connections_that_wait_outlive_a_process(two: RunningServer) -> None:
    """A caller that no process has accepted yet is answered by a later one."""
    children = two.children()
    for child in children:
        os.kill(child, signal.SIGSTOP)
    with connected(two) as waiting:
        waiting.sendall(signed("job-1").wire())
        for child in children:
            os.kill(child, signal.SIGKILL)
        assert waiting.recv(1024).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_parent_drains_all(
    two: RunningServer, tmp_path: Path, number: signal.Signals
) -> None:
    """Callbacks in progress are answered, then all end; no file is left, and the code is 0."""
    children = two.children()
    request = signed("job-1").wire()
    callers = [connected(two) for _ in range(4)]
    for caller in callers:
        caller.sendall(request[:-10])
    with two.client() as client:
        while samples(client)["falhook_callbacks_under_way"] < len(callers):
            pass
    two.process.send_signal(number)
    for caller in callers:
        caller.sendall(request[-10:])
        with caller:
            assert caller.recv(1024).startswith(b"HTTP/1.1 200")
    assert 0 == two.process.wait(30)
    for child in children:
        await_end(child)
    assert [] == directories(tmp_path)


def test_processes_end_with_their_parent(environ: dict[str, str], tmp_path: Path) -> None:
    """Also if it is killed; the next one removes what it left."""
    with receiver(environ, WEB_CONCURRENCY="2") as running:
        children = running.children()
        running.process.kill()
        running.process.wait()
        for child in children:
            await_end(child, 30)
    [left] = directories(tmp_path)
    with receiver(environ, WEB_CONCURRENCY="2"):
        [used] = directories(tmp_path)
    assert left != used
    assert [] == directories(tmp_path)
