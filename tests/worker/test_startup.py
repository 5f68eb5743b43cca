"""Workers of the real fal refuse simulated jobs."""

from pathlib import Path

import pytest

from infra.local.redis import external
from tests.factories.worker_process import started
from worker.jobs.deployment import SIMULATED
from worker.jobs.store import connect
from worker.startup import (
    SimulatedJobsFound,
    UnreachableReceiver,
    refuse_loopback,
    refuse_simulated_jobs,
)


def test_the_stack_sets_the_mark_that_workers_look_for() -> None:
    """Neither part imports the other."""
    assert SIMULATED == external.MARKER


@pytest.mark.parametrize("host", ["queue.fal.run", "queue.falrun.com", "queue.fal.run:443"])
def test_simulated_jobs_are_refused_before_the_real_fal(redis_url: str, host: str) -> None:
    """The sentence names the mark and the correction."""
    external.claim(redis_url)
    with (
        connect(redis_url) as redis,
        pytest.raises(SimulatedJobsFound, match=r"falhook:simulated.*another database"),
    ):
        refuse_simulated_jobs(redis, host)


@pytest.mark.parametrize(
    ("marked", "host"), [(False, "queue.fal.run"), (True, "localhost:8443"), (False, "localhost")]
)
def test_other_workers_start(redis_url: str, host: str, marked: bool) -> None:
    """A worker of the real fal on a Redis without the mark, or any of the simulated fal, starts."""
    if marked:
        external.claim(redis_url)
    with connect(redis_url) as redis:
        refuse_simulated_jobs(redis, host)


def test_an_unreachable_redis_does_not_stop_a_worker() -> None:
    """A worker may start before its Redis."""
    with connect("redis://127.0.0.1:1/0") as redis:
        refuse_simulated_jobs(redis, "queue.fal.run")


def test_a_worker_on_simulated_jobs_does_not_start(redis_url: str, tmp_path: Path) -> None:
    """The process prints one sentence and exits with 2."""
    external.claim(redis_url)
    done = started(redis_url, tmp_path, "-Q", "submit")
    assert (2, True) == (done.returncode, "real fal would be paid" in done.stderr)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "https://localhost", "http://[::1]:1"])
def test_a_receiver_that_fal_cannot_reach(url: str) -> None:
    """Only a simulated fal calls back to this machine."""
    refuse_loopback(url, "localhost:8443")
    refuse_loopback("https://hooks.example.com", "queue.fal.run")
    with pytest.raises(UnreachableReceiver, match=r"FALHOOK_PUBLIC_URL=.*fal cannot reach"):
        refuse_loopback(url, "queue.fal.run")


def test_a_worker_without_a_reachable_receiver_does_not_start(
    redis_url: str, tmp_path: Path
) -> None:
    """The process says why in one sentence, and exits 2."""
    done = started(redis_url, tmp_path, FALHOOK_PUBLIC_URL="http://127.0.0.1:8000")
    assert (2, True, False) == (
        done.returncode,
        "FALHOOK_PUBLIC_URL=http://127.0.0.1:8000" in done.stderr,
        "Traceback" in done.stderr,
    )
