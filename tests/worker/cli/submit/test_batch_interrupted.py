"""A run through a file of jobs that is killed or interrupted continues where it stopped."""

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.factories.batches import TEXT, lines
from tests.factories.cli import submit_environment
from tests.factories.listed import jobs_of
from worker.cli.interrupts import defer_interrupts
from worker.jobs.store import JobStore

ROWS = 300
# Bytes, about 50 lines: a run whose output nobody reads blocks there.
PIPE = 4096
Start = Callable[[], subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path, redis_url: str) -> Start:
    """Start `falhook submit --from` with a file of many jobs; its output is JSON."""
    rows = [{"arguments": {"prompt": f"fox {n}"}} for n in range(ROWS)]
    (tmp_path / "jobs.jsonl").write_text(lines(*rows))
    environ = {**os.environ, **submit_environment(redis_url, tmp_path / "storage")}
    command = [sys.executable, "-m", "worker", "submit", "--from", "jobs.jsonl", TEXT]

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*command, "--yes", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=environ,
            pipesize=PIPE,
        )

    return start


@contextmanager
def running(start: Start) -> Iterator[subprocess.Popen[str]]:
    """A running process, killed at the end of the block."""
    with start() as process:
        try:
            yield process
        finally:
            process.kill()


def ids(records: JobStore) -> list[str]:
    """Return the ids of all stored jobs."""
    return [job.id for job in jobs_of(records)]


@pytest.mark.parametrize("strike", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("after", [1, 60, 170])
def test_a_rerun_creates_exactly_the_missing_jobs(
    start: Start, records: JobStore, strike: signal.Signals, after: int
) -> None:
    """Wherever the first run ended, the second creates the missing jobs, and none twice."""
    with running(start) as first:
        assert first.stdout is not None
        assert fcntl.fcntl(first.stdout, fcntl.F_GETPIPE_SZ) < ROWS * 60
        printed = [json.loads(first.stdout.readline()) for _ in range(after)]
        first.send_signal(strike)
        _, errors = first.communicate(timeout=60)
    created = ids(records)
    assert after <= len(created) < ROWS
    assert {row["id"] for row in printed} <= set(created)
    if strike is signal.SIGINT:
        sentence = (
            f"{len(created):,} of {ROWS:,} jobs created; run the same command again: it creates"
        )
        assert (130, True) == (first.returncode, sentence in errors)
    with running(start) as second:
        output, errors = second.communicate(timeout=120)
    new = [row["id"] for row in map(json.loads, output.splitlines()) if row["new"]]
    assert (0, ROWS - len(created)) == (second.returncode, len(new))
    assert sorted([*created, *new]) == sorted(ids(records))
    assert ROWS == len(set(ids(records)))
    prompts = {str(job.arguments["prompt"]) for job in jobs_of(records)}
    assert {f"fox {n}" for n in range(ROWS)} == prompts
    assert f"{ROWS - len(created):,} created, {len(created):,} existed already." in errors


def test_an_interrupt_waits_for_the_block() -> None:
    """The block completes, the interrupt follows directly, and later ones are immediate."""
    steps = []
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012
        with defer_interrupts():
            signal.raise_signal(signal.SIGINT)
            steps.append("whole")
        steps.append("never")
    assert ["whole"] == steps
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_second_interrupt_is_immediate() -> None:
    """A block that waits for a hanging server can be ended."""
    steps = []
    with pytest.raises(KeyboardInterrupt), defer_interrupts():  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        steps.append("once")
        signal.raise_signal(signal.SIGINT)
        steps.append("never")
    assert ["once"] == steps
