"""`python -m tests.faults.failovers`: elect another primary again and again, under load.

Three servers behind three sentinels, or a cluster of three primaries with a replica each; the real
receiver and workers, and the simulated fal. Each strike kills or freezes a primary while jobs
arrive. Or one Redis beside a RabbitMQ, which is killed. At the end fal's counts are compared with
the records: no job is paid twice, and none whose render was paid for is lost.
"""

import argparse
import itertools
import os
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console

from infra.local.logfile import Logfile
from infra.local.redis.external import mark
from infra.local.stack import Stack, stack
from tests.faults.arrivals import Arrivals
from tests.faults.clips import tiny_clips
from tests.faults.clustered import clustered
from tests.faults.other_broker import with_rabbitmq
from tests.faults.replicated import DOWN_AFTER, replicated
from tests.faults.striking import Deployment
from tests.faults.waiting import checking, pause, until
from webhook.contract import Task
from webhook.settings.settings import Connections
from worker.broker.client import client, waker
from worker.jobs.job import FINAL, JobState
from worker.jobs.listing import count
from worker.jobs.store import JobStore, connect
from worker.steps.sweep import MAX_WAKE_INTERVAL

FAL = ("--speed", "20", "--render-seconds", "10", "--concurrency", "400")
# Seconds until fal must have been sent another job after a strike.
PROGRESS = 60.0
# Seconds for which a primary is frozen, in turn: one resumes while its clients still wait for it,
# the other when all of them must have left it.
FROZEN = (8.0, 25.0)
DEADLINE = 60.0
DEPLOYMENTS: Mapping[str, Callable[..., AbstractContextManager[Deployment]]] = {
    "sentinels": replicated,
    "cluster": clustered,
    "rabbitmq": with_rabbitmq,
}


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a run showed: seconds without progress of each strike, and job ids by fault."""

    killed: list[float] = field(default_factory=list)
    frozen: list[float] = field(default_factory=list)
    paid_twice: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    # Created, and undone by an election before anything was sent: it costs nothing but the order.
    undone: list[str] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)
    counted: Counter[str] = field(default_factory=Counter)

    @property
    def longest(self) -> float:
        """The most seconds without progress after a strike."""
        return max([*self.killed, *self.frozen])


def run(
    directory: Path,
    *,
    kills: int,
    stops: int,
    say: Callable[[str], object],
    kind: str = "sentinels",
    frozen: Sequence[float] = FROZEN,
    down_after: float = DOWN_AFTER,
) -> Outcome:
    """Strike this many times in `directory`, which keeps all logs; return what it showed.

    `kind` is a key of DEPLOYMENTS. Another primary is elected after `down_after` s of silence.
    """
    outcome = Outcome()
    durations = itertools.cycle(frozen)
    with ExitStack() as block:
        redis = block.enter_context(DEPLOYMENTS[kind](directory, down_after=down_after))
        records = JobStore(block.enter_context(connect(redis.settings["REDIS_URL"])))
        mark(records.redis)
        running = block.enter_context(_stack(directory, redis.settings))
        block.enter_context(checking(running.supervisor.require_running))
        app = client(Connections.from_env(redis.settings))
        block.callback(app.close)
        load = Arrivals(store=records, wake=partial(waker(app), Task.SUBMIT))
        with load.arriving():
            until(lambda: bool(_posts(running)), "fal is sent a job", PROGRESS)
            for number in range(kills + stops):
                redis.await_whole()
                # The stops are spread evenly among the kills.
                freeze = (number + 1) * stops // (kills + stops) > number * stops // (kills + stops)
                duration = next(durations) if freeze else None
                seconds = _strike(redis, running, duration)
                (outcome.frozen if freeze else outcome.killed).append(seconds)
                how = f"frozen for {duration:g} s" if duration else "killed"
                say(f"{number + 1}: {how}: {seconds:.1f} s")
        redis.await_whole()
        _settle(records)
        _judge(running, records, load.created, outcome)
    return outcome


def _strike(redis: Deployment, running: Stack, duration: float | None) -> float:
    """Freeze a primary for a duration, or kill it; return the seconds until its jobs move again."""
    began = time.monotonic()
    strike = threading.Thread(
        target=lambda: redis.freeze_primary(duration) if duration else redis.kill_primary()
    )
    strike.start()
    # What was marked before the strike has arrived by then.
    pause(1.0)
    before = set(_posts(running))
    until(
        lambda: any(redis.affects(job_id) for job_id in set(_posts(running)) - before),
        "fal is sent another job",
        PROGRESS,
    )
    seconds = time.monotonic() - began
    strike.join()
    return seconds


def _posts(running: Stack) -> Counter[str]:
    """Return how often each job was sent to fal."""
    posted: Counter[str] = Counter()
    for url, seen in running.fal.counts()["webhooks"].items():
        posted[urlsplit(url).path.split("/")[3]] += int(str(seen.get("submit_posts", 0)))
    return +posted


def _settle(records: JobStore) -> None:
    """Wait until every job has ended, or nothing more can be expected."""
    ends = time.monotonic() + MAX_WAKE_INTERVAL + DEADLINE
    while time.monotonic() < ends:
        if not sum(count(records.redis, set(JobState) - FINAL).values()):
            return
        pause(1.0)


def _judge(running: Stack, records: JobStore, created: list[str], outcome: Outcome) -> None:
    posted, counts = _posts(running), running.fal.counts()
    outcome.counted["jobs"] = len(created)
    for kind in ("submit_posts", "callbacks", "callback_accepted"):
        outcome.counted[kind] = int(str(counts["total"][kind]))
    for job_id in created:
        job = records.get(job_id)
        outcome.states[str(job.state if job else "no record")] += 1
        if posted[job_id] > 1:
            outcome.paid_twice.append(job_id)
        if posted[job_id] and (job is None or job.state is not JobState.PUBLISHED):
            outcome.lost.append(f"{job_id} ({job.state if job else 'no record'})")
        if job is None and not posted[job_id]:
            outcome.undone.append(job_id)


@contextmanager
def _stack(directory: Path, settings: Mapping[str, str]) -> Iterator[Stack]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environ = {
        **kept,
        **settings,
        "FALHOOK_CALLBACK_DEADLINE": str(DEADLINE),
        "FALHOOK_LOG_FORMAT": "json",
    }
    options = ("--media-cache", str(tiny_clips(directory / "clips")), *FAL)
    with (
        Logfile(directory / "stack.log") as logfile,
        stack(
            directory,
            logfile.write,
            environ=environ,
            fal_options=options,
            redis=lambda *_: nullcontext(settings["REDIS_URL"]),
        ) as running,
    ):
        yield running


def main() -> int:
    """Run, print the figures and return 0 if nothing was paid twice or lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.failovers", description=__doc__)
    parser.add_argument("--kind", choices=DEPLOYMENTS, default="sentinels")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--stops", type=int, default=20)
    parser.add_argument("--down-after", type=float, default=DOWN_AFTER, help="seconds")
    parser.add_argument("--directory", type=Path, help="for logs and data; a new one by default")
    args = parser.parse_args()
    say = Console(soft_wrap=True, highlight=False, markup=False).print
    directory = args.directory or Path(tempfile.mkdtemp(prefix="falhook-failovers-"))
    say(f"log of all processes: {directory / 'stack.log'}")
    outcome = run(
        directory,
        kind=args.kind,
        kills=args.kills,
        stops=args.stops,
        say=say,
        down_after=args.down_after,
    )
    for name, pauses in (("SIGKILL", outcome.killed), ("SIGSTOP", outcome.frozen)):
        if pauses:
            figures = f"median {statistics.median(pauses):.1f}, most {max(pauses):.1f}"
            say(f"{len(pauses)} {name}, seconds to the next POST: {figures}")
    say(f"{dict(outcome.counted)}, {dict(outcome.states)}")
    for name in ("paid_twice", "lost", "undone"):
        found: list[str] = getattr(outcome, name)
        say(f"{name}: {len(found)} {found[:20] or ''}")
    return 1 if outcome.paid_twice or outcome.lost else 0


if __name__ == "__main__":
    sys.exit(main())
