"""The start of the command line: `python -m tests.bench.cli_start [--against COMMIT]`.

Each command runs several times in turn with that of an older commit, in one run on one machine.
Commands that read jobs need REDIS_URL; without it they only say so.
Prints the least processor time and the least time of each, in seconds, and their ratio.
"""

import argparse
import io
import os
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests import ROOT

# The last commit before commands imported only what they run.
BEFORE = "c276268"
ROUNDS = 7
# The greatest ratio of processor time, and the most seconds.
BAR, MOST_SECONDS = 0.15, 0.25
COMMANDS = (
    ("--version",),
    ("--help",),
    ("submit", "--help"),
    ("watch", "--help"),
    ("list", "--help"),
    ("retry", "--help"),
    ("check", "--help"),
    ("models", "--help"),
    ("settings", "--help"),
    ("completion", "--help"),
    ("models", "add", "--help"),
    ("models", "refresh", "--help"),
    ("sim", "--help"),
    ("completion", "bash", "--print"),
    ("list",),
    ("show", "unknown"),
    ("watch", "unknown"),
    ("cancel", "unknown"),
    ("retry", "unknown"),
    ("migrate",),
    ("models",),
    ("models", "show", "fal-ai/kling-video/v2.1/master/text-to-video"),
    ("settings",),
)


@dataclass(frozen=True, slots=True)
class Run:
    """The time of one run: of the processor, and of the clock."""

    cpu: float
    wall: float


def run(checkout: Path, command: tuple[str, ...]) -> Run:
    """Run one command of a checkout."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "worker", *command],
        cwd=checkout,
        env={name: os.environ[name] for name in ("PATH", "REDIS_URL") if name in os.environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(cpu, wall)


def checkout(commit: str, directory: Path) -> Path:
    """Write the files of a commit into a directory and return it."""
    archive = subprocess.run(
        ["git", "archive", commit, "webhook", "worker"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(directory, filter="data")
    return directory


def measure(old: Path, command: tuple[str, ...]) -> tuple[Run, Run]:
    """Return the least times of the command now and before, run in turn."""
    runs = [(run(ROOT, command), run(old, command)) for _ in range(ROUNDS)]
    return least([now for now, _ in runs]), least([before for _, before in runs])


def least(runs: list[Run]) -> Run:
    """Return the least of each time: what else the machine does only adds."""
    return Run(min(one.cpu for one in runs), min(one.wall for one in runs))


def _print(command: str, *figures: str) -> None:
    sys.stdout.write(f"{command:<20}{''.join(f'{figure:>8}' for figure in figures)}\n")


def main() -> int:
    """Print a line for each command; return 1 if one of them misses a bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", default=BEFORE, help="an older commit")
    against = parser.parse_args().against
    missed = False
    with tempfile.TemporaryDirectory(prefix="cli-start-") as directory:
        old = checkout(against, Path(directory))
        _print("command", "cpu", "before", "ratio", "wall", "before")
        for command in COMMANDS:
            now, before = measure(old, command)
            ratio = now.cpu / before.cpu
            missed |= ratio > BAR or now.wall > MOST_SECONDS
            figures = (now.cpu, before.cpu, ratio, now.wall, before.wall)
            _print(" ".join(command), *(f"{figure:.3f}" for figure in figures))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
