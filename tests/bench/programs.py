"""Rivals, receivers and workers as processes that end with the process that started them."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from redis import Redis

from infra.local.redis.server import RedisServer
from infra.local.supervisor.process_guard import ProcessGuard
from tests import ROOT
from tests.factories.callbacks import FAL_KEY, SECRET, USER_ID
from worker.storage import Storage, require_usable

# As in the Procfile.
WORKER = "worker -Q callbacks -n bench@%h -P threads -c 4 --without-gossip --without-mingle"
BEAT = "beat --scheduler celery.beat:Scheduler --pidfile="
PATIENCE = 60.0


class BenchFailed(Exception):
    """A part of the run failed; the message says which and why."""


def environment(redis_url: str, jwks_url: str, storage: Path) -> dict[str, str]:
    """Return the environment of receiver and worker; create their storage.

    Workers create none for jobs that are there before them.
    """
    require_usable(Storage.open(storage.as_uri()), new=True)
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "REDIS_URL": redis_url,
        "FALHOOK_PUBLIC_URL": "https://hooks.example.com",
        "FALHOOK_SECRET": SECRET,
        "FALHOOK_FAL_USER_IDS": USER_ID,
        "FALHOOK_JWKS_URL": jwks_url,
        "FALHOOK_HOST": "127.0.0.1",
        "FALHOOK_LOG_FORMAT": "json",
        "FALHOOK_STORAGE_URL": storage.as_uri(),
        "FAL_KEY": "bench:bench",
        "BENCH_KEY": bytes(FAL_KEY.verify_key).hex(),
    }


def redis_with(directory: Path, appendfsync: str) -> RedisServer:
    """Start a Redis with falhook's configuration except for `appendfsync`."""
    server = RedisServer.start(directory)
    with Redis.from_url(server.url) as client:
        client.config_set("appendfsync", appendfsync)
    return server


def free_port() -> int:
    """Return an unused port of the loopback interface."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server, with its child processes if it has any."""

    port: int
    pid: int

    def cpu_seconds(self) -> float:
        """Return the processor time that its processes have used."""
        parent = psutil.Process(self.pid)
        return sum(sum(process.cpu_times()[:2]) for process in (parent, *parent.children()))


def processor_seconds(pids: Iterable[int]) -> float:
    """Return the processor time of these processes and all their children, ended ones as well."""
    parents = [psutil.Process(pid) for pid in pids]
    children = [child for parent in parents for child in parent.children(recursive=True)]
    return float(sum(sum(process.cpu_times()[:4]) for process in (*parents, *children)))


@contextmanager
def server(
    guard: ProcessGuard, command: list[str], environ: Mapping[str, str], log: Path
) -> Iterator[int]:
    """Run `python -m command…` until the block ends, and yield the port that it listens on."""
    with served(guard, command, environ, log) as running:
        yield running.port


@contextmanager
def served(
    guard: ProcessGuard, command: list[str], environ: Mapping[str, str], log: Path
) -> Iterator[Server]:
    """Run `python -m command…` until the block ends, and yield it once it listens."""
    port = free_port()
    with log.open("wb") as output:
        process = guard.spawn(
            [sys.executable, "-m", *command], output=output, environ={**environ, "PORT": str(port)}
        )
    try:
        _await_port(port, process, log)
        yield Server(port=port, pid=process.pid)
    finally:
        _end(guard, process)


@contextmanager
def celery(
    guard: ProcessGuard,
    command: str,
    environ: Mapping[str, str],
    log: Path,
    *,
    app: str = "tests.bench.worker",
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a Celery application; the default is the real one, which also notes each ingest."""
    argv = [sys.executable, "-m", "celery", "-A", app, *command.split()]
    with log.open("ab") as output:
        process = guard.spawn(argv, output=output, environ=environ)
    try:
        yield process
    finally:
        _end(guard, process)


def _end(guard: ProcessGuard, process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    guard.release(process)


def _await_port(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise BenchFailed(f"{log.stem} did not start:\n{log.read_text(errors='replace')[-2_000:]}")
