"""`falhook stats`: what it counts, as text, as JSON and live at a terminal."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from infra.local.redis.server import RedisServer
from tests import ROOT
from tests.factories.cli import FOX, Run, submit_environment, submitted
from tests.factories.world import World
from worker.cli.stats.recent import MINUTES, Recent, recent
from worker.jobs.change import Change
from worker.jobs.job import JobState
from worker.jobs.store import JobStore
from worker.operations.job_stats import job_stats

pytestmark = pytest.mark.timeout(120)


def row(output: str, name: str) -> str:
    """Return the line that begins with this name, without its columns' spaces."""
    [found] = [line for line in output.splitlines() if line.startswith(name)]
    return " ".join(found.split())


def test_it_tells_the_state_as_text(run: Run) -> None:
    """Outside a terminal: a line for each state, and one for each other fact, uncut."""
    for _ in range(2):
        submitted(run, *FOX)
    done = run("stats")
    assert 0 == done.exit_code, done.output
    assert "QUEUED 2" in row(done.stdout, "QUEUED")
    assert "FAILED 0 0 in 24 h" == row(done.stdout, "FAILED")
    assert "queues submit 2 callbacks 0 media 0 publish 0 notify 0" == row(done.stdout, "queues")
    assert "none was heard" in row(done.stdout, "workers")
    assert "0 owed, 0 dead" in row(done.stdout, "webhooks")
    rates = "a minute 0.4 created, 0.0 published, 0.0 failed in the last 5 min"
    assert rates == row(done.stdout, "a minute")
    assert "\x1b" not in done.stdout


def test_its_json_has_the_fields_of_the_api(run: Run) -> None:
    """The numbers of a tenant are those of GET /v1/stats, with the processes beside them."""
    job = submitted(run, *FOX, "--tenant", "acme")
    submitted(run, *FOX)
    done = run("stats", "--json", "--tenant", "acme")
    found = json.loads(done.stdout)
    assert (1, 1, job["id"]) == (
        found["open"],
        found["jobs"]["QUEUED"],
        found["oldest"]["QUEUED"]["job"],
    )
    of_api = {"jobs", "open", "oldest", "ended", "today", "at"}
    assert of_api | {"recent", "deployment"} == found.keys()
    of_deployment = {"workers", "queues", "receiver", "unheard", "swept", "webhooks"}
    assert of_deployment == found["deployment"].keys()
    assert {"minutes": 5, "created": 1, "published": 0, "failed": 0} == found["recent"]


def test_jobs_of_the_last_minutes_are_counted(world: World) -> None:
    """What happened before does not count, nor what has ended otherwise."""
    world.add("old")
    world.clock.forward(60 * MINUTES)
    for number in range(3):
        world.add(f"job{number}", tenant="acme")
    world.store.change("job0", JobState, Change(to=JobState.FAILED))
    world.store.change("job1", JobState, Change(to=JobState.CANCELLED))
    world.clock.forward(1)
    redis, now = world.store.redis, world.clock()
    assert Recent(created=3, published=0, failed=1) == recent(redis, None, now=now)
    assert Recent(created=3, published=0, failed=1) == recent(redis, "acme", now=now)
    assert recent(redis, "default", now=now) is None


def test_without_the_broker_it_says_so(run: Run) -> None:
    """Workers and queues are unknown then, which is not the same as none."""
    done = run("stats", FALHOOK_BROKER_URL="redis://127.0.0.1:1/0")
    assert "unknown: the broker does not answer" in row(done.stdout, "workers")
    assert "unknown: the broker does not answer" in row(done.stdout, "queues")


def test_watching_needs_a_terminal(run: Run) -> None:
    """JSON is of one moment; --watch says so."""
    done = run("stats", "--watch", "--json")
    assert (2, True) == (done.exit_code, "--watch" in done.stderr)


def test_it_costs_the_same_with_many_jobs(run: Run, records: JobStore) -> None:
    """The commands that Redis gets do not grow with the jobs."""

    def commands() -> int:
        before = int(records.redis.info("stats")["total_commands_processed"])
        job_stats(records, None)
        return int(records.redis.info("stats")["total_commands_processed"]) - before

    submitted(run, *FOX)
    few = commands()
    for _ in range(30):
        submitted(run, *FOX)
    assert few == commands()
    assert 31 == job_stats(records, None).open


@contextmanager
def watching(home: Path, redis_url: str) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """Run `falhook stats --watch` in a terminal of 60 columns without colours."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 60, 0, 0))
    environ = {**os.environ, **submit_environment(redis_url, home), "NO_COLOR": "1"}
    environ |= {"TERM": "xterm", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "infra" / "falhook"), "stats", "--watch"]
    with (
        closing(os.fdopen(master, "rb", buffering=0)),
        subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environ) as process,
    ):
        os.close(slave)
        yield master, process
        process.kill()


@pytest.fixture
def screen(home: Path, redis_url: str) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """Such a terminal."""
    with watching(home, redis_url) as running:
        yield running


def read_until(terminal: int, pattern: str) -> str:
    """Return what the terminal shows until it shows this."""
    seen = b""
    while not re.search(pattern.encode(), seen):
        seen += os.read(terminal, 65_536)
    return seen.decode(errors="replace")


def test_it_follows_jobs_at_a_terminal(
    run: Run, screen: tuple[int, "subprocess.Popen[bytes]"]
) -> None:
    """It draws again once a job is there, in 60 columns and without colour; Ctrl-C ends it."""
    terminal, process = screen
    first = read_until(terminal, r"QUEUED +0")
    submitted(run, *FOX)
    later = read_until(terminal, r"QUEUED +1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", first + later)
    process.send_signal(signal.SIGINT)
    assert 130 == process.wait(30)


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSTOP"])
def test_it_shows_no_old_figures_as_new(home: Path, tmp_path: Path, name: str) -> None:
    """Without Redis, or one that hangs, it says within seconds how old they are."""
    with RedisServer.start(tmp_path / "redis") as server, watching(home, server.url) as running:
        terminal, process = running
        read_until(terminal, r"QUEUED +0")
        os.kill(server.pid, getattr(signal, name))
        seen = read_until(terminal, r"Redis does not answer: what follows was so \d+ s ago")
        assert "QUEUED" in seen
        process.kill()
        os.kill(server.pid, signal.SIGCONT)
