"""`make soak`: jobs of 1 KB through the whole stack, with a SIGKILL of one process every so often.

`make soak JOBS=100000 KILLS=60` scales it. Every process of the Procfile and Redis are killed, in
random order. Ends with 0 if each job was published or failed, none is open, and each was posted to
fal once. The simulated fal remembers every job, so its memory bounds how many there can be.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from infra.local.fal_process import SimulationEnded
from infra.local.supervisor.restart_policy import ProcessRefused
from tests.soak.run import Progress, Report, SoakPlan, run

# Seconds from one line of progress to the next.
EVERY = 10.0


def main() -> int:
    """Run one soak. Return 0 if it ended well, 1 if not, 2 if the stack ended meanwhile."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--kills", type=float, default=30.0, help="seconds between two; 0: none")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(100_000))
    parser.add_argument("--directory", type=Path, help="for logs and data; a new one by default")
    options = parser.parse_args()
    directory = options.directory or Path(tempfile.mkdtemp(prefix="falhook-soak-"))
    _say(f"seed {options.seed}; log of all processes: {directory / 'stack.log'}")
    plan = SoakPlan(jobs=options.jobs, kills=options.kills, seed=options.seed)
    try:
        return judged(run(plan, directory, shown()))
    except (ProcessRefused, SimulationEnded) as error:
        sys.stderr.write(f"The stack ended, so nothing is judged. {error}\n")
        return 2


def shown() -> Callable[[Progress], None]:
    """Return a function that prints the progress, at most every EVERY seconds."""
    due = EVERY

    def show(progress: Progress) -> None:
        nonlocal due
        if progress.seconds < due:
            return
        due = progress.seconds + EVERY
        rate = progress.ended / progress.seconds
        _say(
            f"{progress.seconds:6.0f} s  {progress.ended:,} ended, "
            f"{progress.sent - progress.ended:,} open, {rate:.1f} jobs/s, "
            f"{progress.killed.total()} killed"
        )

    return show


def judged(report: Report) -> int:
    """Print the outcome; return 0 if nothing is wrong, else 1."""
    progress, verdict = report.progress, report.verdict
    rate = progress.ended / progress.seconds
    _say(f"{progress.ended:,} jobs in {progress.seconds:.0f} s: {rate:.1f} jobs/s")
    for jobs in (100_000, 1_000_000):
        _say(f"  {jobs:,} at this rate: {jobs / rate / 3600:.1f} h")
    killed = ", ".join(f"{name} {times}" for name, times in sorted(progress.killed.items()))
    _say(f"killed: {killed or 'nothing'}")
    _say(f"messages sent again, for no record appeared: {progress.sent_again}")
    _say(f"memory of the simulated fal: {report.fal_bytes / 2**20:,.0f} MiB")
    for state, number in verdict.states.items():
        if number:
            _say(f"{state}: {number:,}")
    for reason, number in verdict.failures.items():
        _say(f"  failed with {reason}: {number:,}")
    _say(f"POSTs: {sum(verdict.posts.values()):,}")
    _say(f"never posted, their worker killed just before: {verdict.unposted:,}")
    faults = verdict.faults()
    for name, number in faults.items():
        _say(f"{name}: {number:,}{'  WRONG' if number else ''}")
    return 1 if any(faults.values()) else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
