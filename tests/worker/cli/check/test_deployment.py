"""`falhook check` on a deployment in which one thing is wrong."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from infra.local.fal_process import FalProcess
from tests.factories.callbacks import Host, receiver_settings, serving
from tests.worker.cli.check.conftest import Tried
from webhook.app import create_app
from webhook.contract import Queue
from worker.broker.heartbeats import WorkerSeen
from worker.jobs import deployment
from worker.jobs.store import JobStore
from worker.redis_age import COUNT, RedisAge
from worker.storage import Storage

OLD, NEW = "an-old-secret-of-16", "a-new-secret-of-16"


class Usage(NamedTuple):
    """The space of a disk."""

    total: int
    used: int
    free: int


def test_beat_that_is_dead(tried: Tried, records: JobStore) -> None:
    """No sweep, or none for a while, is a failure that names beat; a recent one is fine."""
    assert ("fails", True) == (tried("beat")[0], "start beat" in tried("beat")[1])
    deployment.note_sweep(records.redis, time.time() - 100)
    status, detail = tried("beat")
    assert ("fails", True) == (status, "ran 100 s ago" in detail)
    deployment.note_sweep(records.redis, time.time())
    assert "ok" == tried("beat")[0]


def test_a_redis_that_was_restored(tried: Tried, records: JobStore, tmp_path: Path) -> None:
    """A copy of Redis is older than the storage saw it, which says what to do before any job."""
    storage = Storage.open(str(tmp_path / "storage"))
    assert ("ok", True) == (tried("records")[0], "not seen" in tried("records")[1])
    RedisAge(redis=records.redis, storage=storage, clock=time.time).note()
    assert ("ok", True) == (tried("records")[0], "as new as" in tried("records")[1])
    records.redis.delete(COUNT)
    status, detail = tried("records")
    assert ("fails", True) == (status, detail.startswith("REDIS_URL has older data"))
    assert "stop the submit workers" in detail


@pytest.mark.parametrize(("ahead", "status"), [(0.0, "ok"), (-5.0, "warns"), (60.0, "fails")])
def test_a_clock_that_differs(
    tried: Tried, monkeypatch: pytest.MonkeyPatch, ahead: float, status: str
) -> None:
    """The clock of this machine is compared with that of Redis."""
    real = time.time
    monkeypatch.setattr("worker.cli.check.processes.time.time", lambda: real() + ahead)
    found, detail = tried("clock")
    assert (status, status != "ok") == (found, "NTP" in detail)


@pytest.mark.parametrize(
    ("free", "status"), [(100 * 2**30, "ok"), (2 * 2**30, "warns"), (10**8, "fails")]
)
def test_a_disk_that_is_nearly_full(
    tried: Tried, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, status: str
) -> None:
    """It fails if one of the largest results does not fit, and warns before."""
    storage = Storage.open(str(tmp_path / "storage"))
    usage = Usage(2**40, 2**40 - free, free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    found, detail = tried("disk")
    assert (status, True) == (found, f"FALHOOK_STORAGE_URL {storage.root}" in detail)


def test_a_secret_that_was_rotated_without_the_old_one(
    tried: Tried, records: JobStore, redis_url: str, key_host: Host
) -> None:
    """Jobs in progress have addresses of the old one, until their deadline."""
    deployment.note_secret(records.redis, OLD, time.time())
    settings = receiver_settings(redis_url, key_host.url, FALHOOK_SECRET=f"{NEW},{OLD}")
    with serving(create_app(settings)) as served:
        environ = {"FALHOOK_PUBLIC_URL": str(served.base_url).rstrip("/")}
        status, detail = tried("secret", **environ, FALHOOK_SECRET=NEW)
        assert ("fails", True) == (status, "FALHOOK_SECRET=NEW,OLD" in detail)
        assert "ok" == tried("secret", **environ, FALHOOK_SECRET=f"{NEW},{OLD}")[0]
        deployment.note_secret(records.redis, OLD, time.time() - 3600)
        assert "ok" == tried("secret", **environ, FALHOOK_SECRET=NEW)[0]


def test_a_receiver_with_another_secret(tried: Tried, redis_url: str, key_host: Host) -> None:
    """It would refuse the callbacks of every new job."""
    settings = receiver_settings(redis_url, key_host.url, FALHOOK_SECRET=OLD)
    with serving(create_app(settings)) as served:
        environ = {"FALHOOK_PUBLIC_URL": str(served.base_url).rstrip("/")}
        status, detail = tried("secret", **environ, FALHOOK_SECRET=NEW)
    assert ("fails", True) == (status, "its own FALHOOK_SECRET lacks" in detail)


def test_the_key_is_tried_with_a_free_request(
    tried: Tried, start_fal: Callable[..., FalProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong key fails with fal's words; no job is created."""
    simulated = start_fal("--key", "right:key")
    host = simulated.environment["FAL_REST_HOST"]
    monkeypatch.setenv("SSL_CERT_FILE", simulated.environment["SSL_CERT_FILE"])
    assert ("ok", f"{host} accepts FAL_KEY") == tried(
        "fal", FAL_REST_HOST=host, FAL_KEY="right:key"
    )
    status, detail = tried("fal", FAL_REST_HOST=host, FAL_KEY="wrong:hunter2")
    assert ("fails", True, False) == (
        status,
        detail.startswith("fal refuses FAL_KEY (401: "),
        "hunter2" in detail,
    )
    posts: object = simulated.counts()["total"].get("submit", 0)
    assert 0 == posts


def test_a_fal_that_cannot_be_reached(tried: Tried) -> None:
    """The sentence names the host and where to look."""
    status, detail = tried("fal", FAL_REST_HOST="localhost:1")
    assert ("fails", True) == (status, "FAL_REST_HOST=localhost:1 cannot be reached" in detail)


def seen(*, ahead: float = 0.0, secret: str = "", queues: frozenset[str]) -> WorkerSeen:
    """A worker, as its heartbeat describes it."""
    return WorkerSeen(name="any@host", pid=7, queues=queues, secret=secret, ahead=ahead)


@pytest.mark.parametrize(
    ("worker", "status", "words"),
    [
        ({}, "ok", "any@host (pid 7)"),
        ({"queues": frozenset({"falhook.media"})}, "fails", "no worker serves"),
        ({"ahead": -60.0}, "fails", "the clock of any@host (pid 7) is 60.0 s behind"),
        ({"ahead": 4.0}, "warns", "NTP"),
        ({"secret": deployment.fingerprint(OLD)}, "fails", "any@host (pid 7) signs"),
        ({"secret": deployment.fingerprint(NEW)}, "ok", "any@host"),
    ],
)
def test_each_worker_is_judged(
    tried: Tried,
    monkeypatch: pytest.MonkeyPatch,
    worker: dict[str, Any],
    status: str,
    words: str,
) -> None:
    """By its queues, its clock and the secret with which it signs addresses."""
    heard = seen(**{"queues": frozenset(map(str, Queue)), **worker})
    monkeypatch.setattr("worker.cli.check.workers.workers_seen", lambda _app: [heard])
    found, detail = tried("workers", FALHOOK_SECRET=NEW)
    assert (status, True) == (found, words in detail), detail
