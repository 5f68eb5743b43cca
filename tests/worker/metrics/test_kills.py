"""Workers are killed while they move jobs: what is counted is what happened."""

import multiprocessing
import random
from collections import Counter
from typing import cast

import pytest

from tests.worker.metrics import moving
from webhook.shards import all_keys
from worker.jobs.counts import COUNTS, MOVED
from worker.jobs.job import FINAL, JobState
from worker.jobs.listing import count
from worker.jobs.store import EVENTS, JobStore

WORKERS = 2


@pytest.mark.parametrize("kills", [25, pytest.param(1_000, marks=pytest.mark.faults)])
@pytest.mark.timeout(1_200)
def test_counts_are_events_and_records(records: JobStore, redis_url: str, kills: int) -> None:
    """After each SIGKILL in the middle of a job, moves, ends and callbacks equal the events.

    What came into a state and did not leave it is there.
    """
    _kill(redis_url, kills)
    counts = _counts(records)
    assert kills < sum(counts["mv"].values())
    events = _events(records)
    assert (events["mv"], events["end"], events["cb"]) == (
        counts["mv"],
        counts["end"],
        {name: each for name, each in counts["cb"].items() if name in events["cb"]},
    )
    assert dict(count(records.redis, JobState)) == {
        state: sum(each * (f"|{state}" in move) for move, each in counts["mv"].items())
        - sum(each * move.startswith(f"{state}|") for move, each in counts["mv"].items())
        for state in JobState
    }


def _kill(redis_url: str, kills: int) -> None:
    """Run workers, each of which is killed after a few jobs, in the middle of the next."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([moving.__name__])
    rng = random.Random(18)
    running = []
    for seed in range(kills + WORKERS):
        ours, theirs = context.Pipe()
        process = context.Process(target=moving.main, args=(redis_url, seed, theirs), daemon=True)
        process.start()
        running.append((process, ours))
        if len(running) > WORKERS:
            process, steps = running.pop(0)
            for _ in range(rng.randrange(1, 4)):
                assert steps.poll(60), "a worker did nothing"
                steps.recv()
            process.kill()
            process.join()
    for process, _ in running:
        process.kill()
        process.join()


def _counts(records: JobStore) -> dict[str, Counter[str]]:
    """Return the counts of each kind by what follows it."""
    found: dict[str, Counter[str]] = {kind: Counter() for kind in ("mv", "end", "cb")}
    for key in all_keys(COUNTS):
        for field, text in records.redis.hgetall(key).items():
            kind, _, name = str(field).partition("|")
            if kind == "mv":
                found[kind][name.rpartition("|")[0]] += int(text) // MOVED
            elif kind == "end":
                found[kind][name.split("|")[1]] += int(text)
            elif kind == "cb":
                found[kind][name] += int(text)
    return found


def _events(records: JobStore) -> dict[str, Counter[str]]:
    """Return what the events of all jobs say in the same form."""
    found: dict[str, Counter[str]] = {kind: Counter() for kind in ("mv", "end", "cb")}
    for key in all_keys(EVENTS):
        for _, event in cast(list[tuple[str, dict[str, str]]], records.redis.xrange(key)):
            before, after = event["from"] or "NEW", event["to"]
            if before != after:
                found["mv"][f"{before}|{after}"] += 1
                found["end"][after] += after in FINAL
            if event["name"] in {"duplicate", "conflict", "callback_kept"}:
                found["cb"][event["name"].removeprefix("callback_")] += 1
    found["end"] = +found["end"]
    return found
