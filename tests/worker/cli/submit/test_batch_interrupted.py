"""A run through a file of jobs that is killed or interrupted goes on where it stopped."""

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
from worker.cli.interrupts import defer_interrupts
from worker.jobs.store import JobStore

ROWS = 300
# Bytes, of which 50 lines fill it: a run whose lines nobody reads stands still there.
PIPE = 4096
Start = Callable[[], subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path, redis_url: str) -> Start:
    """Starts `falhook submit --from` with a file of many jobs; its lines come as JSON."""
    rows = [{"arguments": {"prompt": f"fox {n}"}} for n in range(ROWS)]
    (tmp_path / "jobs.jsonl").write_text(lines(*rows))
    given = {
        "REDIS_URL": redis_url,
        "FALHOOK_BROKER_URL": redis_url,
        "FALHOOK_STORAGE_URL": str(tmp_path / "storage"),
        "FALHOOK_CATALOGUE": "",
    }
    command = [sys.executable, "-m", "worker", "submit", "--from", "jobs.jsonl", TEXT]

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*command, "--yes", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={**os.environ, **given},
            pipesize=PIPE,
        )

    return start


@contextmanager
def running(start: Start) -> Iterator[subprocess.Popen[str]]:
    """A run that is under way, and ends with the block."""
    with start() as process:
        try:
            yield process
        finally:
            process.kill()


def ids(records: JobStore) -> list[str]:
    """Of all jobs on record."""
    return [job.id for job in records.list(limit=2 * ROWS)]


@pytest.mark.parametrize("strike", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("after", [1, 60, 170])
def test_a_run_that_was_ended_is_gone_on_with(
    start: Start, records: JobStore, strike: signal.Signals, after: int
) -> None:
    """Wherever it was ended, the second run makes exactly the missing jobs, and none twice."""
    with running(start) as first:
        assert first.stdout is not None
        assert fcntl.fcntl(first.stdout, fcntl.F_GETPIPE_SZ) < ROWS * 60
        told = [json.loads(first.stdout.readline()) for _ in range(after)]
        first.send_signal(strike)
        _, words = first.communicate(timeout=60)
    made = ids(records)
    assert after <= len(made) < ROWS
    assert {row["id"] for row in told} <= set(made)
    if strike is signal.SIGINT:
        sentence = f"{len(made):,} of {ROWS:,} jobs created; run the same command again: it creates"
        assert (130, True) == (first.returncode, sentence in words)
    with running(start) as second:
        output, words = second.communicate(timeout=120)
    new = [row["id"] for row in map(json.loads, output.splitlines()) if row["new"]]
    assert (0, ROWS - len(made)) == (second.returncode, len(new))
    assert sorted([*made, *new]) == sorted(ids(records))
    assert ROWS == len(set(ids(records)))
    prompts = {str(job.arguments["prompt"]) for job in records.list(limit=2 * ROWS)}
    assert {f"fox {n}" for n in range(ROWS)} == prompts
    assert f"{ROWS - len(made):,} created, {len(made):,} existed already." in words


def test_an_interrupt_waits_for_the_block() -> None:
    """What is within is done whole, the interrupt comes right after it, and later ones as ever."""
    held = []
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012
        with defer_interrupts():
            signal.raise_signal(signal.SIGINT)
            held.append("whole")
        held.append("never")
    assert ["whole"] == held
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_second_interrupt_waits_for_nothing() -> None:
    """The block may wait for a server that hangs."""
    held = []
    with pytest.raises(KeyboardInterrupt), defer_interrupts():  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        held.append("once")
        signal.raise_signal(signal.SIGINT)
        held.append("never")
    assert ["once"] == held
