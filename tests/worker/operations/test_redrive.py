"""Runs over groups of failed jobs: what continues, what is paid, and what a crash leaves."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.factories.failed_jobs import add_failed
from worker.catalogue.catalogue import Catalogue
from worker.jobs.failures import FailureGroup, failure_groups
from worker.jobs.history import history
from worker.jobs.job import JobState
from worker.jobs.listing import count
from worker.jobs.store import JobStore, connect
from worker.operations.redrive import Redrives, Run
from worker.operations.retry import Retry

S = JobState
RUN = "0123456789abcdef"


@pytest.fixture
def records(redis_url: str) -> Iterator[JobStore]:
    """Records on an empty Redis."""
    with connect(redis_url) as redis:
        yield JobStore(redis)


def redrives(store: JobStore) -> Redrives:
    """Return the runs, which pause for nobody."""
    catalogue = Catalogue.load()
    retry = Retry(store=store, catalogue=lambda: catalogue)
    return Redrives(store.redis, retry, pause=lambda _seconds: None)


def group_of(store: JobStore) -> FailureGroup:
    """Return the one group of the default tenant."""
    [group] = failure_groups(store.redis, "default")
    return group


def finished(runs: Redrives) -> Run:
    """Work until there is nothing left to do; return the run."""
    while runs.work():
        pass
    run = runs.get(RUN, "default")
    assert run is not None
    return run


def test_a_group_of_two_hundred_continues_without_a_payment(records: JobStore) -> None:
    """Every job goes on from its stored result; none is sent to fal."""
    for number in range(200):
        add_failed(records, f"job-{number}")
    runs, group = redrives(records), group_of(records)
    assert (200, 0, 200) == (
        (seen := runs.preview(group)).free,
        seen.paying,
        seen.looked_at,
    )
    runs.start(RUN, group, by="Ada in the console", note="more disk")
    run = finished(runs)
    assert ("done", 200, 0, 0, 0) == (
        run.state,
        run.continued,
        run.paying,
        run.skipped,
        run.paid,
    )
    assert {S.RENDERED: 200, S.QUEUED: 0} == count(records.redis, [S.RENDERED, S.QUEUED])
    job = records.get("job-7")
    assert job is not None
    assert ("Ada in the console", "more disk") == (
        (last := history(job)[-1])["by"],
        last["note"],
    )


def test_by_default_nothing_is_paid(records: JobStore) -> None:
    """Jobs that would be rendered again stay where they are."""
    add_failed(records, "free")
    add_failed(records, "paying", rendered=False)
    runs, group = redrives(records), group_of(records)
    preview = runs.preview(group)
    assert (1, 1, Decimal("1.40")) == (preview.free, preview.paying, preview.usd)
    runs.start(RUN, group, by="x", note="y")
    run = finished(runs)
    assert (1, 0, 1, 0) == (run.continued, run.paying, run.skipped, run.paid)
    assert {S.FAILED: 1, S.QUEUED: 0} == count(records.redis, [S.FAILED, S.QUEUED])


def test_a_run_pays_no_more_than_was_shown(records: JobStore) -> None:
    """Its limit is kept, to the cent."""
    for number in range(10):
        add_failed(records, f"job-{number}", rendered=False)
    runs = redrives(records)
    runs.start(RUN, group_of(records), by="x", note="y", most=Decimal("4.20"))
    run = finished(runs)
    assert (3, 7, 4_200_000) == (run.paying, run.skipped, run.paid)
    assert {S.QUEUED: 3} == count(records.redis, [S.QUEUED])


def test_the_same_form_is_one_run(records: JobStore) -> None:
    """A second click starts nothing."""
    add_failed(records, "a")
    runs, group = redrives(records), group_of(records)
    runs.start(RUN, group, by="first", note="y")
    runs.start(RUN, group, by="second", note="y")
    assert ["first"] == [run.by for run in runs.going_on("default")]
    assert [] == list(runs.going_on("acme"))


def test_a_stopped_run_leaves_the_rest(records: JobStore) -> None:
    """What has continued goes on, what has not stays failed."""
    for number in range(300):
        add_failed(records, f"job-{number}")
    runs = redrives(records)
    runs.start(RUN, group_of(records), by="x", note="y")
    assert runs.work()
    run = runs.get(RUN, "default")
    assert run is not None
    runs.cancel(run)
    stopped = finished(runs)
    left = count(records.redis, [S.FAILED])[S.FAILED]
    assert ("cancelled", 300) == (stopped.state, stopped.continued + left)
    assert left > 0


def test_another_process_continues_a_run(records: JobStore, redis_url: str) -> None:
    """After a crash nothing is done twice and nothing is left out."""
    for number in range(120):
        add_failed(records, f"job-{number}", rendered=number % 2 == 0)
    first = redrives(records)
    first.start(RUN, group_of(records), by="x", note="y", most=Decimal(1000))
    assert first.work()
    with connect(redis_url) as redis:
        run = finished(redrives(JobStore(redis)))
    assert ("done", 60, 60) == (run.state, run.continued, run.paying)
    assert {S.RENDERED: 60, S.QUEUED: 60} == count(records.redis, [S.RENDERED, S.QUEUED])


def test_two_processes_do_not_work_on_one_run(records: JobStore) -> None:
    """Whoever comes second leaves it alone."""
    add_failed(records, "a")
    runs = redrives(records)
    runs.start(RUN, group_of(records), by="x", note="y")
    records.redis.set(f"falhook:{{redrive}}:lease:{RUN}", "another", ex=30)
    assert not runs.work()


def test_what_fails_meanwhile_is_not_of_the_run(records: JobStore) -> None:
    """A job that fails after the run began waits for another one."""
    add_failed(records, "a")
    runs = redrives(records)
    runs.start(RUN, group_of(records), by="x", note="y")
    add_failed(records, "later")
    run = finished(runs)
    assert (1, {S.FAILED: 1}) == (run.continued, count(records.redis, [S.FAILED]))
