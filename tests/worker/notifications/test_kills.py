"""Notifiers, Redis and receivers are killed at random: what was owed is delivered or dead."""

import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from infra.local.redis.server import RedisServer
from infra.local.supervisor.process_guard import ProcessGuard
from tests import ROOT
from tests.factories.notifications import Told, told
from tests.factories.receivers_of_webhooks import OK, Received, Receiver, Reply, receiver
from tests.faults.waiting import until
from worker.jobs.job import JobState
from worker.notifications.history import DeliveryState
from worker.notifications.signature import message_id

S = JobState
SEED = 20_261_130
# Seconds after which what a killed notifier had claimed is sent again.
LEASE = "4"


class Notifiers:
    """Two notifier processes; each is started again when it was killed."""

    def __init__(self, url: str, guard: ProcessGuard) -> None:
        self._url = url
        self._guard = guard
        self._running = [self._started() for _ in range(2)]

    def _started(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "tests.factories.notifier_process", self._url, LEASE]
        process = self._guard.spawn(command, output=subprocess.PIPE, cwd=ROOT)
        threading.Thread(target=_drain, args=(process,), daemon=True).start()
        return process

    def end(self) -> None:
        """Kill both."""
        for process in self._running:
            process.kill()
            process.wait()
            self._guard.release(process)

    def kill(self, number: int) -> None:
        """Kill one of them, and start another in its place."""
        process = self._running[number]
        process.kill()
        process.wait()
        self._guard.release(process)
        self._running[number] = self._started()


def _drain(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdout is not None
    with process.stdout as lines:
        for _ in lines:
            pass


@contextmanager
def notifiers(url: str) -> Iterator[Notifiers]:
    """Run notifiers until the block ends."""
    guard = ProcessGuard()
    running = Notifiers(url, guard)
    try:
        yield running
    finally:
        running.end()
        guard.close()


def persistently(act: Callable[[], object]) -> None:
    """Do what a worker repeats until Redis answers; it may be done twice."""

    def done() -> bool:
        with suppress(RedisError, AssertionError):
            act()
            return True
        return False

    until(done, "Redis is back", 60)


def moved(deployment: Told, job_id: str) -> None:
    """Take a job to its end, whatever was done of that before."""
    job = deployment.store.get(job_id)
    if job is None:
        deployment.create(job_id)
        job = deployment.store.get(job_id)
    assert job is not None
    for state in (S.SUBMITTING, S.SUBMITTED, S.FAILED):
        if job.state in {S.QUEUED, S.SUBMITTING, S.SUBMITTED}:
            deployment.move(job_id, state)
    assert deployment.store.get(job_id).state is S.FAILED  # type: ignore[union-attr]


def survived(directory: Path, *, kills: int, seed: int) -> None:
    """Create jobs while parts are killed; then each owed event is delivered or dead."""
    rng = random.Random(seed)
    refusals = random.Random(seed + 1)

    def answer(_request: Received) -> Reply:
        return Reply(500) if refusals.random() < 0.05 else OK

    with ExitStack() as opened:
        server = opened.enter_context(RedisServer.start(directory))
        deployment = opened.enter_context(told(server.url, time.time))
        receivers = [opened.enter_context(receiver(answer)) for _ in range(3)]
        made = [
            deployment.add(each.url, events=["job.*"], ordered=number == 2)[0]
            for number, each in enumerate(receivers)
        ]
        running = opened.enter_context(notifiers(server.url))
        jobs = []
        for number in range(kills):
            for part in range(4):
                jobs.append(f"job{number}-{part}")
                persistently(lambda: moved(deployment, jobs[-1]))
            if number % 3 == 2:
                server.kill()
                server.restart()
            else:
                running.kill(rng.randrange(2))
        owed: set[tuple[str, int]] = set()
        for job_id in jobs:
            job = deployment.store.get(job_id)
            assert job is not None
            assert job.told >= 4
            owed |= {(job_id, n) for n in range(1, job.told + 1)}
        expected = [{message_id(endpoint.id, job_id, n) for job_id, n in owed} for endpoint in made]

        def settled() -> bool:
            return all(
                {each.id for each in target.received} >= ids
                for target, ids in zip(receivers, expected, strict=True)
            )

        until(settled, "every receiver was told everything", 150)
        for target, ids in zip(receivers, expected, strict=True):
            assert ids == {each.id for each in target.received}
        until(lambda: _ended(deployment, len(owed) * 3), "every delivery has ended", 60)
        _print_figures(deployment, receivers, owed=len(owed) * 3, kills=kills)
        first = [each.content["data"] for each in _once(receivers[2].received)]
        for job_id in jobs:
            numbers = [data["n"] for data in first if data["id"] == job_id]
            assert sorted(numbers) == numbers, "an ordered endpoint got events out of order"


def _print_figures(deployment: Told, receivers: list[Receiver], *, owed: int, kills: int) -> None:
    """Print what `pytest -s` shows, and a failure too."""
    found = deployment.histories.list("default", limit=1_000_000)
    states = Counter(each.state.value for each in found)
    came = [each.id for target in receivers for each in target.received]
    sys.stdout.write(
        f"kills {kills} owed {owed} {dict(states)} ids {len(set(came))} requests {len(came)}\n"
    )


def _ended(deployment: Told, count: int) -> bool:
    found = deployment.histories.list("default", limit=100_000)
    ends = {DeliveryState.DELIVERED, DeliveryState.DEAD}
    return count == sum(each.state in ends for each in found)


def _once(received: list[Received]) -> list[Received]:
    return list({each.id: each for each in reversed(received)}.values())[::-1]


@pytest.mark.timeout(400)
def test_nothing_owed_is_lost(tmp_path: Path) -> None:
    """Ten kills: each owed event reaches each receiver, under one id, and has ended."""
    survived(tmp_path / "redis", kills=10, seed=SEED)


@pytest.mark.faults
@pytest.mark.timeout(3_600)
def test_nothing_owed_is_lost_in_two_hundred_kills(tmp_path: Path) -> None:
    """The same with two hundred kills."""
    survived(tmp_path / "redis", kills=200, seed=SEED)
