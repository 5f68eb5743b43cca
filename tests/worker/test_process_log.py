"""The log of worker and beat as processes: one event a line, from start to stop."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import ROOT
from tests.factories.log_lines import events
from tests.factories.worker_process import started, worker_environment

WORKER = ("worker", "-P", "threads", "-c", "1", "-Q", "publish")
BEAT = ("beat", "--scheduler", "celery.beat:Scheduler", "--pidfile=")


def run_and_stop(
    redis_url: str, directory: Path, options: Sequence[str], ready: str, **environ: str
) -> tuple[int, str, str]:
    """Run `celery` until it logs the event `ready`, then SIGTERM; return code, output, log."""
    log = directory / "log"
    with (
        log.open("wb") as file,
        subprocess.Popen(
            [sys.executable, "-m", "celery", "--quiet", "-A", "worker.celery", *options],
            cwd=ROOT,
            env={**worker_environment(redis_url, directory), **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process,
    ):
        assert process.stderr is not None
        for line in process.stderr:
            file.write(line)
            if ready.encode() in line:
                break
        process.send_signal(signal.SIGTERM)
        output, rest = process.communicate(timeout=60)
        file.write(rest)
    return process.returncode, output.decode(), log.read_text()


@pytest.mark.parametrize(
    ("options", "first", "last"),
    [(WORKER, "worker.started", "worker.stopped"), (BEAT, "beat.started", "beat.stopped")],
)
def test_every_line_is_an_event(
    redis_url: str, tmp_path: Path, options: Sequence[str], first: str, last: str
) -> None:
    """Start and stop are events too, and Celery's own lines are not at INFO."""
    code, output, log = run_and_stop(redis_url, tmp_path, options, first)
    lines = events(log)
    assert (0, "", last) == (code, output, lines[-1]["event"])
    assert [] == [line for line in lines if line["level"] == "info" and "logger" in line]


def test_celerys_lines_are_at_debug(redis_url: str, tmp_path: Path) -> None:
    """They are there for who asks for them."""
    _, _, log = run_and_stop(redis_url, tmp_path, BEAT, "Sending due", FALHOOK_LOG_LEVEL="DEBUG")
    sent = [line for line in events(log) if "Sending due task sweep" in line["event"]]
    assert ["debug"] == [line["level"] for line in sent]


def test_a_crash_at_the_start_is_one_event(redis_url: str, tmp_path: Path) -> None:
    """Usage errors and refusals of Celery itself are lines of the format too."""
    done = started(redis_url, tmp_path, "--no-such-option")
    assert (2, "") == (done.returncode, done.stdout)
    assert {"process.output"} == {line["event"] for line in events(done.stderr)}


def test_a_refusal_is_one_event(redis_url: str, tmp_path: Path) -> None:
    """What is wrong with the settings is at level error, with its sentence."""
    done = started(redis_url, tmp_path, FALHOOK_PUBLIC_URL="http://hooks.example.com")
    [line] = events(done.stderr)
    assert (2, "", "process.refused", "error") == (
        done.returncode,
        done.stdout,
        line["event"],
        line["level"],
    )
    assert line["sentence"].startswith("FALHOOK_PUBLIC_URL")
