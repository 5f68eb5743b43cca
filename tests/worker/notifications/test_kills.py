"""Notifiers, Redis and receivers are killed at random: what was owed is delivered or dead."""

import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from infra.local.redis.server import RedisServer
from infra.local.supervisor.process_guard import ProcessGuard
from tests import ROOT
from tests.factories.killable_receiver import Came, KillableReceiver
from tests.factories.notifications import Told, told
from tests.faults.waiting import until
from webhook.shards import all_keys
from worker.jobs.job import JobState
from worker.jobs.store import OWED
from worker.notifications.endpoint import Endpoint
from worker.notifications.history import Delivery, DeliveryState
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
    with ExitStack() as opened:
        server = opened.enter_context(RedisServer.start(directory))
        deployment = opened.enter_context(told(server.url, time.time))
        receivers = opened.enter_context(killable_receivers(seed))
        made = [
            deployment.add(each.url, events=["job.*"], ordered=each is receivers[-1])[0]
            for each in receivers
        ]
        running = opened.enter_context(notifiers(server.url))
        jobs = []
        for number in range(kills):
            for part in range(4):
                jobs.append(f"job{number}-{part}")
                persistently(lambda: moved(deployment, jobs[-1]))
            if number % 4 == 3:
                server.kill()
                server.restart()
            elif number % 4 == 1:
                receivers[rng.randrange(2)].kill()
            else:
                running.kill(rng.randrange(2))
        owed = [
            (job_id, n)
            for job_id in jobs
            for n in range(1, deployment.store.get(job_id).told + 1)  # type: ignore[union-attr]
        ]
        assert len(owed) >= 4 * len(jobs)
        until(lambda: _is_settled(deployment, made), "everything is delivered or dead", 600)
        for each in receivers:
            each.end()
        ended = deployment.histories.list("default", limit=1_000_000)
        _print_figures(ended, receivers, owed=len(owed) * len(made), kills=kills)
        assert len(owed) * len(made) == len(ended)
        for endpoint, target in zip(made, receivers, strict=True):
            _check(endpoint, target, owed, [e for e in ended if e.endpoint == endpoint.id])
        _check_order(receivers[-1].came, jobs)


@contextmanager
def killable_receivers(seed: int) -> Iterator[list[KillableReceiver]]:
    """Run three receivers; each refuses some messages at first, the last one few."""
    guard = ProcessGuard()
    try:
        yield [
            KillableReceiver(guard, seed=seed + number, refused=part)
            for number, part in enumerate((0.05, 0.05, 0.01))
        ]
    finally:
        guard.close()


def _is_settled(deployment: Told, made: Sequence[Endpoint]) -> bool:
    """Return whether nothing is owed and nothing waits."""
    if any(deployment.redis.zcard(key) for key in all_keys(OWED)):
        return False
    return not any(deployment.notifications.lanes.waiting(each.id) for each in made)


def _check(
    endpoint: Endpoint,
    target: KillableReceiver,
    owed: Sequence[tuple[str, int]],
    ended: Sequence[Delivery],
) -> None:
    """Assert that each owed event is delivered or dead, and came under its one id."""
    assert {DeliveryState.DELIVERED, DeliveryState.DEAD} >= {each.state for each in ended}
    assert sorted(owed) == sorted((each.event.job, each.event.n) for each in ended)
    came = {each.id for each in target.came}
    delivered = {
        message_id(endpoint.id, each.event.job, each.event.n)
        for each in ended
        if each.state is DeliveryState.DELIVERED
    }
    assert delivered <= came <= {message_id(endpoint.id, *each) for each in owed}


def _check_order(came: Sequence[Came], jobs: Sequence[str]) -> None:
    first = list(dict.fromkeys(came))
    for job_id in jobs:
        numbers = [each.n for each in first if each.job == job_id]
        assert sorted(numbers) == numbers, "an ordered endpoint got events out of order"


def _print_figures(
    ended: Sequence[Delivery], receivers: Sequence[KillableReceiver], *, owed: int, kills: int
) -> None:
    """Print what `pytest -s` shows, and a failure too."""
    states = dict(Counter(each.state.value for each in ended))
    came = [each.id for target in receivers for each in target.came]
    sys.stdout.write(
        f"kills {kills}, owed {owed}, {states}, ids {len(set(came))}, requests {len(came)}\n"
    )


@pytest.mark.timeout(900)
def test_nothing_owed_is_lost(tmp_path: Path) -> None:
    """Ten kills: each owed event reaches each receiver, under one id, and has ended."""
    survived(tmp_path / "redis", kills=10, seed=SEED)


@pytest.mark.faults
@pytest.mark.timeout(3_600)
def test_nothing_owed_is_lost_in_two_hundred_kills(tmp_path: Path) -> None:
    """The same with two hundred kills."""
    survived(tmp_path / "redis", kills=200, seed=SEED)
