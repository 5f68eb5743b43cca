"""The exporter: the same figures from each, and none without Redis."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.redis.server import RedisServer
from tests.factories.exposition import samples, value
from tests.factories.redis_servers import PASSWORD, cluster
from tests.factories.world import ENDPOINT, ManualClock, World, callback
from webhook.shards import shard_key
from worker.jobs.change import Change
from worker.jobs.counts import MOVED, counts_key
from worker.jobs.days import day_of
from worker.jobs.job import Job, JobState
from worker.jobs.paused_accounts import note_refused, scopes
from worker.jobs.store import JobStore, connect
from worker.metrics.exporter import FRESH, Exporter
from worker.metrics.fold import MOST
from worker.notifications.endpoint import endpoint_key

# What is read at the moment itself.
MOMENTARY = {
    "falhook_fold_timestamp_seconds",
    "falhook_clock_skew_seconds",
    "falhook_redis_memory_bytes",
}


@pytest.fixture
def exporter(redis_url: str) -> Iterator[Exporter]:
    """An exporter of an empty Redis."""
    with connect(redis_url) as redis:
        yield Exporter(redis)


def test_it_shows_what_jobs_did(world: World, exporter: Exporter) -> None:
    """Moves, times in states, ends, spending and callbacks are those of the jobs."""
    world.add_submitted("job1")
    world.add("job2", estimate={"usd": 1.4})
    world.store.change("job2", JobState, Change(to=JobState.CANCELLED))
    world.clock.forward(93.0)
    world.deliver(callback())
    world.deliver(callback())
    assert exporter.fold()
    found = samples(exporter.text())
    assert 1 == value(found, "falhook_up")
    assert 2 == value(found, "falhook_moves_total", **{"from": "NEW", "to": "QUEUED"})
    assert 1 == value(found, "falhook_moves_total", **{"from": "SUBMITTED", "to": "RENDERED"})
    assert 93 == value(found, "falhook_state_seconds_sum", state="SUBMITTED")
    assert 0 == value(found, "falhook_state_seconds_bucket", state="SUBMITTED", le="60")
    assert 1 == value(found, "falhook_state_seconds_bucket", state="SUBMITTED", le="120")
    assert 1 == value(found, "falhook_ingested_callbacks_total", outcome="accepted")
    assert 1 == value(found, "falhook_ingested_callbacks_total", outcome="duplicate")
    ended = {"endpoint": ENDPOINT, "state": "CANCELLED", "reason": ""}
    assert 1 == value(found, "falhook_ended_jobs_total", **ended)
    assert 1 == value(found, "falhook_jobs", state="RENDERED")
    since = value(found, "falhook_oldest_job_timestamp_seconds", state="RENDERED")
    assert world.job("job1").updated_at == since
    assert (0, 0) == (value(found, "falhook_inbox_jobs"), value(found, "falhook_jobs_at_fal"))


def test_the_tenants_that_cost_most_are_shown(world: World) -> None:
    """So many as are wanted, by today's costs; without the setting no tenant is named."""
    today = shard_key(7, f"day:{day_of(time.time())}")
    for number, tenant in enumerate(("small", "large", "middle")):
        usd = (1, 9, 3)[number] * 1_000_000
        counted = {f"n|{tenant}|a/b": 2, f"usd|{tenant}|a/b": usd, f"n|{tenant}|c/d": 1}
        for name, number_of in counted.items():
            world.store.redis.hset(today, name, number_of)
    shown, silent = Exporter(world.store.redis, tenants=2), Exporter(world.store.redis)
    assert shown.fold()
    assert silent.fold()
    found = samples(shown.text())
    assert 9 == value(found, "falhook_tenant_today_dollars", tenant="large")
    assert 3 == value(found, "falhook_tenant_clips_today", tenant="middle")
    assert value(found, "falhook_tenant_clips_today", tenant="small") is None
    assert b"tenant" not in silent.text()


def test_halves_of_counts_are_added(world: World, exporter: Exporter) -> None:
    """Moves that are counted apart from their time count as those that are not."""
    world.add_submitted("job1")
    field = "mv|SUBMITTED|RENDERED|11"
    counted = {field: 2 * MOVED + 200, f"{field}|n": 1_000, f"{field}|s": 90_000}
    for name, number in counted.items():
        world.store.redis.hset(counts_key("job1"), name, number)
    assert exporter.fold()
    found = samples(exporter.text())
    assert 1_002 == value(found, "falhook_moves_total", **{"from": "SUBMITTED", "to": "RENDERED"})
    assert 902 == value(found, "falhook_state_seconds_sum", state="SUBMITTED")


def test_any_number_show_the_same(world: World, redis_url: str) -> None:
    """Two exporters, of which one starts later, have the same figures."""
    with connect(redis_url) as first, connect(redis_url) as second:
        exporters = [Exporter(first), Exporter(second)]
        assert exporters[0].fold()
        for number in range(20):
            world.add_submitted(f"job{number}")
        pages = [samples(each.text()) for each in exporters if each.fold()]
    one, other = (
        {key: each for key, each in page.items() if key[0] not in MOMENTARY} for page in pages
    )
    assert one == other


def test_without_redis_there_are_no_figures(tmp_path: Path) -> None:
    """falhook_up is 0, and of the others only the time of the last fold is left."""
    with RedisServer.start(tmp_path) as server, connect(server.url) as redis:
        exporter = Exporter(redis)
        assert exporter.fold()
        assert value(samples(exporter.text()), "falhook_jobs", state="QUEUED") == 0
        server.stop()
        assert not exporter.fold()
    found = samples(exporter.text())
    assert 0 == value(found, "falhook_up")
    assert {"falhook_up", "falhook_fold_timestamp_seconds"} == {name for name, _ in found}


def test_before_the_first_fold_there_are_none(exporter: Exporter) -> None:
    """falhook_up is 0, and there is nothing else."""
    assert {("falhook_up", frozenset()): 0} == samples(exporter.text())


def test_old_figures_are_not_shown(redis_url: str) -> None:
    """Figures of a fold that hangs vanish."""
    clock = ManualClock()
    with connect(redis_url) as redis:
        exporter = Exporter(redis, monotonic=clock)
        assert exporter.fold()
        clock.forward(FRESH)
        assert 1 == value(samples(exporter.text()), "falhook_up")
        clock.forward(0.1)
        assert 0 == value(samples(exporter.text()), "falhook_up")


def test_names_have_an_end(exporter: Exporter, redis_url: str) -> None:
    """Of more endpoints than are shown, those in most shards are; the others count as another."""
    with connect(redis_url) as redis:
        for number in range(MOST["usd"] + 10):
            redis.hset(counts_key("job1"), f"usd|owner/app{number}|estimate", 1_000_000)
        redis.hset(counts_key("job2"), "usd|owner/zzz|estimate", 1_000_000)
        redis.hset(counts_key("job3"), "usd|owner/zzz|estimate", 1_000_000)
    assert counts_key("job2") != counts_key("job3")
    assert exporter.fold()
    found = samples(exporter.text())
    spent = {key: each for key, each in found.items() if key[0] == "falhook_spend_usd_total"}
    assert (MOST["usd"] + 12, MOST["usd"] + 1) == (sum(spent.values()), len(spent))
    name = "falhook_spend_usd_total"
    assert 2 == value(found, name, endpoint="owner/zzz", source="estimate")
    assert 11 == value(found, name, endpoint="other", source="estimate")


def test_a_figure_that_is_not_declared_leaves_none(exporter: Exporter, redis_url: str) -> None:
    """Nothing is shown beside a count of a state that does not exist."""
    with connect(redis_url) as redis:
        redis.hset(counts_key("job1"), "mv|QUEUED|NOWHERE|0", 1_000_000_000_000)
    assert not exporter.fold()
    assert {("falhook_up", frozenset()): 0} == samples(exporter.text())


def test_a_cluster_has_the_same_figures(tmp_path: Path) -> None:
    """Its nodes' shards are added up: jobs, moves, dead deliveries and paused accounts of all."""
    with cluster(tmp_path) as nodes:
        url = f"redis+cluster://:{PASSWORD}@127.0.0.1:{nodes[0].port}"
        with connect(url) as redis:
            store = JobStore(redis)
            jobs = [Job(id=f"job{each}", endpoint=ENDPOINT, arguments={}) for each in range(100)]
            for job in jobs:
                assert store.add(job, due=store.clock() + 60, event={"name": "created"})
                note_refused(redis, scopes(f"account{job.id}", job)[0], now=store.clock())
                redis.hset(scopes(f"account{job.id}", job)[0], "until", 0)
            redis.sadd("falhook:{notify}:tenants", "acme")
            for each in range(20):
                redis.sadd("falhook:{notify}:of:acme", f"ep_{each}")
                redis.zadd(endpoint_key(f"ep_{each}", "dead"), {"job1:1": store.clock()})
            exporter = Exporter(redis, tenants=20)
            assert exporter.fold()
            found = samples(exporter.text())
    assert 100 == value(found, "falhook_jobs", state="QUEUED")
    assert 100 == value(found, "falhook_moves_total", **{"from": "NEW", "to": "QUEUED"})
    assert 100 == value(found, "falhook_paused_submissions", scope="account")
    assert 20 == value(found, "falhook_dead_deliveries")
