"""Faults of our own processes, Redis, broker and storage, on the whole system."""

import os
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

import pytest
from rich.console import Console

from infra.local.stack import ROOT
from tests.factories.clips import ffmpeg_program
from tests.factories.listed import history_of
from tests.faults.system import WORKERS, StormSystem
from tests.faults.waiting import until
from webhook.contract import INBOX, Task, inbox_key
from worker.jobs.job import JobState

S = JobState
pytestmark = [pytest.mark.faults, pytest.mark.timeout(170)]
# Seconds that docs/architecture.md promises for a step whose worker was killed.
RESUMED_WITHIN = 30.0


def add(system: StormSystem, job_id: str, mishap: str = "") -> None:
    """Create a job with a mishap for the simulated fal."""
    system.add(job_id, f"A fox [[sim: {mishap}]]" if mishap else "A fox")


def starts(system: StormSystem, job_id: str, task: Task) -> list[float]:
    """Return when the step was started, in Unix seconds."""
    events = history_of(system.records, job_id)
    return [
        float(event["at"])
        for event in events
        if (event["name"], event.get("step")) == ("started", task)
    ]


def reaches(system: StormSystem, job_id: str, state: JobState, seconds: float = 30) -> None:
    """Wait until the job is in that state."""
    until(lambda: system.job(job_id).state is state, f"{job_id} is {state}", seconds)


def answer(system: StormSystem, job_id: str) -> object:
    """Let fal deliver this job's callback again; return the receiver's status."""
    path = f"/_sim/redeliver/{system.job(job_id).request_id}"
    return cast("dict[str, object]", system.fal("POST", path))["answer"]


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Suspend the process while the block runs."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.fixture
def ffmpeg(tmp_path: Path) -> Path:
    """An ffmpeg that first hangs or crashes if the file `mood` next to it says so."""
    program = tmp_path / "ffmpeg"
    mood = tmp_path / "mood"
    program.write_text(
        "#!/bin/sh\n"
        f'case "$(cat {mood} 2>/dev/null)" in hang) sleep 600;; crash) kill -SEGV $$;; esac\n'
        f'exec {ffmpeg_program()} "$@"\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def test_worker_killed_in_a_download(shared: StormSystem) -> None:
    """The download is started again within the promised time; no partial output is published."""
    add(shared, "download", "cdn-slow=4")
    until(lambda: starts(shared, "download", Task.DOWNLOAD) != [], "the download began", 30)
    killed = time.time()
    shared.kill("publish")
    until(lambda: len(starts(shared, "download", Task.DOWNLOAD)) > 1, "the step is resumed", 40)
    resumed_after = starts(shared, "download", Task.DOWNLOAD)[1] - killed
    Console().print(f"resumed after {resumed_after:.1f} s")
    assert not (shared.storage("download") / "manifest.json").exists()
    assert (S.PUBLISHED, True) == (shared.ends("download"), resumed_after < RESUMED_WITHIN)


def test_worker_and_child_killed_in_a_transcode(
    start: Callable[..., StormSystem],
    ffmpeg: Path,
    tmp_path: Path,
) -> None:
    """The step is tried again if ffmpeg is killed, and resumed in time if its worker is killed."""
    system = start(environ={"FALHOOK_FFMPEG": str(ffmpeg), "FALHOOK_ISOLATION": "none"})
    add(system, "first")
    assert S.PUBLISHED is system.ends("first")
    (tmp_path / "mood").write_text("hang")
    add(system, "clip")
    until(lambda: starts(system, "clip", Task.TRANSCODE_TAG) != [], "the transcode began", 40)
    until(lambda: system.kill_child("media"), "the child is killed", 20)
    until(
        lambda: len(starts(system, "clip", Task.TRANSCODE_TAG)) > 1, "the step is tried again", 40
    )
    (tmp_path / "mood").unlink()
    killed = time.time()
    system.kill("media")
    until(lambda: len(starts(system, "clip", Task.TRANSCODE_TAG)) > 2, "the step is resumed", 40)
    resumed_after = starts(system, "clip", Task.TRANSCODE_TAG)[2] - killed
    Console().print(f"resumed after {resumed_after:.1f} s")
    assert (S.PUBLISHED, True) == (system.ends("clip"), resumed_after < RESUMED_WITHIN)


def test_ffmpeg_that_always_crashes(
    start: Callable[..., StormSystem], ffmpeg: Path, tmp_path: Path
) -> None:
    """The job is FAILED with the reason, its worker keeps running, and a later retry publishes."""
    system = start(environ={"FALHOOK_FFMPEG": str(ffmpeg), "FALHOOK_ISOLATION": "none"})
    add(system, "first")
    assert S.PUBLISHED is system.ends("first")
    (tmp_path / "mood").write_text("crash")
    pid = system.stack.supervisor.pid("media")
    add(system, "crashing")
    assert S.FAILED is system.ends("crashing", 120)
    job = system.job("crashing")
    assert ("media_crashed", Task.TRANSCODE_TAG, pid) == (
        job.reason,
        job.step,
        system.stack.supervisor.pid("media"),
    )
    (tmp_path / "mood").unlink()
    falhook(system, "retry", "crashing")
    assert (S.PUBLISHED, 1) == (system.ends("crashing"), system.counts("crashing")["submit"])


def falhook(system: StormSystem, *arguments: str) -> str:
    """Run the command line as a process; return its output."""
    command = [str(ROOT / ".venv/bin/python"), "-m", "worker", *arguments]
    done = subprocess.run(
        command, env=dict(system.stack.environ), check=True, capture_output=True, text=True
    )
    return done.stdout


def test_worker_killed_in_publish(shared: StormSystem) -> None:
    """With its worker killed around the publication, each job is published once."""
    job_ids = [f"publish{number}" for number in range(20)]
    for job_id in job_ids:
        add(shared, job_id)
    for _ in range(3):
        until(
            lambda: (
                any(shared.job(job_id).state is S.TAGGED for job_id in job_ids)
                or all(shared.job(job_id).state is S.PUBLISHED for job_id in job_ids)
            ),
            "a job is at its publication",
            60,
        )
        shared.kill("publish")
    assert {S.PUBLISHED} == {shared.ends(job_id, 100) for job_id in job_ids}


def test_the_receiver_answers_503_while_redis_hangs(shared: StormSystem) -> None:
    """The receiver answers 503 within 5 s, and 200 soon after Redis is back."""
    add(shared, "frozen")
    shared.ends("frozen")
    with frozen(shared.redis.pid):
        began = time.monotonic()
        requests = dict(shared.stack.fal.counts()["requests"])
        assert requests
        request_id = next(iter(requests))
        path = f"/_sim/redeliver/{request_id}"
        delivery = cast("dict[str, object]", shared.fal("POST", path))
        took = time.monotonic() - began
    assert (503, True) == (delivery["answer"], took < 5)
    until(lambda: answer(shared, "frozen") == 200, "the receiver answers 200", 10)


def test_the_receiver_answers_503_while_redis_is_full(shared: StormSystem) -> None:
    """No callback is lost: fal delivers it again once Redis has memory."""
    add(shared, "full", "callback-late=100")
    reaches(shared, "full", S.SUBMITTED)
    redis = shared.records.redis
    redis.config_set("maxmemory", "1")
    until(lambda: shared.log('"outcome": "inbox_unavailable"'), "503", 20)
    redis.config_set("maxmemory", "0")
    assert S.PUBLISHED is shared.ends("full")


def test_receiver_killed_before_its_answer(shared: StormSystem) -> None:
    """Killed with a verified callback in memory: fal's next delivery brings it again."""
    add(shared, "unanswered", "callback-late=60")
    reaches(shared, "unanswered", S.SUBMITTED)
    with frozen(shared.redis.pid):
        counts = shared.stack.fal.counts
        before = counts()["total"]["callbacks"]
        until(lambda: counts()["total"]["callbacks"] != before, "a callback is under way", 20)
        shared.kill("web")
    assert S.PUBLISHED is shared.ends("unanswered")
    assert 1 == shared.counts("unanswered")["submit"]


def release(system: StormSystem, job_id: str) -> None:
    """End the job's render, which `callback-hold` delays."""
    system.fal("POST", f"/_sim/release/{system.job(job_id).request_id}")


def test_callbacks_are_accepted_without_the_broker(start: Callable[..., StormSystem]) -> None:
    """Callbacks are stored while the broker is dead or hangs, and ingested once it is back."""
    system = start(own_broker=True, deadline=100)
    for job_id in ("dead", "hangs"):
        add(system, job_id, "callback-hold")
        reaches(system, job_id, S.SUBMITTED)
    system.broker.kill()
    release(system, "dead")
    until(lambda: system.raw.exists(inbox_key("dead")) == 1, "it is in the inbox", 20)
    system.broker.restart()
    assert S.PUBLISHED is system.ends("dead")
    with frozen(system.broker.pid):
        release(system, "hangs")
        until(lambda: system.raw.exists(inbox_key("hangs")) == 1, "it is in the inbox", 20)
    assert S.PUBLISHED is system.ends("hangs")


def test_sigterm_under_load(shared: StormSystem) -> None:
    """Under load every worker stops within the grace period, and nothing is lost."""
    job_ids = [f"deploy{number}" for number in range(60)]
    for job_id in job_ids:
        add(shared, job_id)
    until(lambda: any(shared.job(job_id).state is S.PUBLISHED for job_id in job_ids), "load", 40)
    supervisor = shared.stack.supervisor
    before = {name: (supervisor.pid(name), supervisor.restarts(name)) for name in WORKERS}
    for name in WORKERS:
        shared.kill(name, signal.SIGTERM)
    for name in WORKERS:
        supervisor.wait_running(name, restarts=before[name][1] + 1, timeout=15)
    assert {S.PUBLISHED} == {shared.ends(job_id, 100) for job_id in job_ids}
    assert {1} == {shared.counts(job_id)["submit"] for job_id in job_ids}


@pytest.mark.parametrize("mishap", ["cdn-cut=2", "cdn-500=2"])
def test_a_broken_cdn_is_tried_again(shared: StormSystem, mishap: str) -> None:
    """A failed download is tried again, and the job is published."""
    job_id = "cdn" + mishap[4:7]
    add(shared, job_id, mishap)
    assert S.PUBLISHED is shared.ends(job_id)


def test_storage_that_disappears_and_returns(shared: StormSystem) -> None:
    """A missing storage directory is not created again: the step waits until it returns."""
    add(shared, "before")
    assert S.PUBLISHED is shared.ends("before")
    storage = shared.directory / "storage"
    aside = shared.directory / "storage-aside"
    storage.rename(aside)
    add(shared, "away")
    try:
        until(lambda: "retried" in shared.names("away"), "the step waits", 30)
        assert not storage.exists()
    finally:
        aside.rename(storage)
    reasons = {event.get("reason") for event in history_of(shared.records, "away")}
    assert "storage_unwritable" in reasons
    assert (S.PUBLISHED, 1) == (shared.ends("away"), shared.counts("away")["submit"])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a file system requires root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_read_only_storage(start: Callable[..., StormSystem], small_disk: Path) -> None:
    """The job fails with step and reason; `retry` resumes it without another payment."""
    system = start(environ={"FALHOOK_STORAGE_URL": small_disk.as_uri()})
    add(system, "before")
    assert S.PUBLISHED is system.ends("before")
    remount(small_disk, "ro")
    add(system, "refused")
    assert S.FAILED is system.ends("refused")
    remount(small_disk, "rw")
    job = system.job("refused")
    assert ("storage_unwritable", Task.DOWNLOAD) == (job.reason, job.step)
    falhook(system, "retry", "--failed", "--reason", "storage_unwritable")
    reaches(system, "refused", S.PUBLISHED)
    assert 1 == system.counts("refused")["submit"]


def remount(place: Path, how: str) -> None:
    """Remount the file system read-only ("ro") or writable ("rw")."""
    subprocess.run(["mount", "-o", f"remount,{how}", str(place)], check=True)


def test_a_full_disk(start: Callable[..., StormSystem], small_disk: Path) -> None:
    """On a full disk the step is tried again until there is space."""
    system = start(environ={"FALHOOK_STORAGE_URL": small_disk.as_uri()})
    add(system, "before")
    assert S.PUBLISHED is system.ends("before")
    filler = small_disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    add(system, "full")
    until(lambda: "retried" in system.names("full"), "the step waits", 30)
    reasons = {event.get("reason") for event in history_of(system.records, "full")}
    assert "storage_full" in reasons
    filler.unlink()
    assert (S.PUBLISHED, 1) == (system.ends("full"), system.counts("full")["submit"])


def test_a_second_beat_does_no_harm(shared: StormSystem) -> None:
    """With two beats each job is submitted once and its result is fetched once."""
    command = [
        str(ROOT / ".venv/bin/celery"),
        *("-A", "worker.celery", "beat", "--scheduler", "celery.beat:Scheduler", "--pidfile="),
    ]
    second = subprocess.Popen(
        command,
        cwd=ROOT,
        env=dict(shared.stack.environ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        job_ids = [f"beats{number}" for number in range(10)]
        for job_id in job_ids:
            add(shared, job_id, "callback-never")
        assert {S.PUBLISHED} == {shared.ends(job_id) for job_id in job_ids}
        assert {(1, 1)} == {
            (seen["submit"], seen["result"]) for seen in map(shared.counts, job_ids)
        }
    finally:
        second.kill()
        second.wait()


def test_nothing_is_left_pending(shared: StormSystem) -> None:
    """After all tests of this module no callback is left in the inbox."""
    until(lambda: shared.raw.zcard(INBOX) == 0, "the inbox is empty", 40)
