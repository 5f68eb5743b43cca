"""Tenants: their jobs have indexes, counts and events of their own; the default one has none."""

from collections.abc import Mapping
from typing import cast

import pytest

from tests.factories.listed import history_of
from tests.factories.world import ENDPOINT
from webhook.shards import all_keys, key_of
from worker.jobs.change import Change, Event
from worker.jobs.job import Job, JobState
from worker.jobs.listing import count, newest
from worker.jobs.store import EVENTS, JobStore
from worker.jobs.tenant import DEFAULT, InvalidTenant, checked_tenant

S = JobState
REFUSED = {"state": S.FAILED, "step": "falhook.create"}
STATES = (S.QUEUED, S.SUBMITTING, S.FAILED)


def add(store: JobStore, job_id: str, tenant: str = DEFAULT, **fields: object) -> bool:
    """Add a job; return whether it is new."""
    job = Job(id=job_id, endpoint=ENDPOINT, arguments={}, tenant=tenant, **fields)  # type: ignore[arg-type]
    return store.add(job, due=0, event={"name": "created"})


def counts(store: JobStore, tenant: str | None) -> list[int]:
    """Return how many jobs are in each of STATES."""
    return list(count(store.redis, STATES, tenant).values())


def ids(store: JobStore, tenant: str | None, state: JobState | None = None) -> list[str]:
    """Return the ids of the tenant's jobs, by name."""
    return sorted(job.id for job in newest(store.redis, tenant=tenant, state=state))


def commands(store: JobStore) -> Mapping[str, int]:
    """Return how often Redis ran each command, but for those of this test."""
    stats = store.redis.info("commandstats")
    own = {"cmdstat_info", "cmdstat_config|resetstat"}
    return {name: each["calls"] for name, each in stats.items() if name not in own}


@pytest.mark.parametrize("name", ["a", "acme", "0.a_b-c", "a" * 40, DEFAULT, None])
def test_names_of_tenants_are_accepted(name: str | None) -> None:
    """A name is returned as it is; None is the default tenant."""
    assert (name or DEFAULT) == checked_tenant(name)


@pytest.mark.parametrize("name", ["", "Acme", "-a", "a:b", "a b", "é", "a\n", "a" * 41, 7, ["a"]])
def test_other_names_are_refused_with_the_cure(name: object) -> None:
    """The message has the value, shortened, or its type, and says what is allowed."""
    with pytest.raises(InvalidTenant, match="use 1 to 40 lower-case letters") as caught:
        checked_tenant(name)
    shown = name[:40].encode("ascii", "backslashreplace").decode() if isinstance(name, str) else ""
    assert shown.replace("\n", "\\n").replace("\\xe9", "\\u00e9") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_tenant_has_its_own_jobs_and_counts(records: JobStore) -> None:
    """Lists and counts of a tenant have its jobs only; those of all have every one."""
    for job_id, tenant in (("d1", DEFAULT), ("d2", DEFAULT), ("a1", "acme"), ("b1", "bolt")):
        add(records, job_id, tenant)
    records.change("a1", S, Change(to=S.SUBMITTING, event={"name": "moved"}))
    records.change("d1", S, Change(to=S.SUBMITTING, event={"name": "moved"}))
    assert {
        None: ["a1", "b1", "d1", "d2"],
        DEFAULT: ["d1", "d2"],
        "acme": ["a1"],
        "bolt": ["b1"],
        "none": [],
    } == {tenant: ids(records, tenant) for tenant in (None, DEFAULT, "acme", "bolt", "none")}
    assert [["a1"], [], ["d1"]] == [
        ids(records, tenant, S.SUBMITTING) for tenant in ("acme", "bolt", DEFAULT)
    ]
    assert [[2, 2, 0], [1, 1, 0], [0, 1, 0], [1, 0, 0]] == [
        counts(records, tenant) for tenant in (None, DEFAULT, "acme", "bolt")
    ]


def test_a_job_reads_back_with_its_tenant_and_fingerprint(records: JobStore) -> None:
    """The record has both; one of the default tenant has neither field."""
    add(records, "a1", "acme", fingerprint='{"endpoint":"0123456789ab"}')
    add(records, "d1")
    job, other = records.get("a1"), records.get("d1")
    assert job is not None
    assert other is not None
    assert ("acme", '{"endpoint":"0123456789ab"}') == (job.tenant, job.fingerprint)
    assert (DEFAULT, "") == (other.tenant, other.fingerprint)
    stored = records.redis.hkeys(key_of("d1", "job:d1"))
    assert not {"tenant", "fingerprint"} & set(stored)


def test_events_name_the_tenant(records: JobStore) -> None:
    """Each event of a named tenant's job has it, of a move or not; others have no such field."""
    for job_id, tenant in (("a1", "acme"), ("d1", DEFAULT)):
        add(records, job_id, tenant)
        records.change(job_id, S, Change(event={"name": "progress"}))
        entries = cast(list[tuple[str, Event]], records.redis.xrange(key_of(job_id, EVENTS)))
        events = [event for _, event in entries if event["id"] == job_id]
        assert events == list(history_of(records, job_id))
        assert [None if tenant == DEFAULT else tenant] * 2 == [
            each.get("tenant") for each in events
        ]


def test_a_refused_record_is_replaced_by_its_own_tenant_only(records: JobStore) -> None:
    """The counts follow the job; the record of another tenant, default or not, stays."""
    add(records, "a1", "acme", **REFUSED)
    add(records, "d1", **REFUSED)
    assert (False, False, False) == (
        add(records, "a1"),
        add(records, "a1", "bolt"),
        add(records, "d1", "acme"),
    )
    assert ([0, 0, 1], [0, 0, 1]) == (counts(records, "acme"), counts(records, DEFAULT))
    assert add(records, "a1", "acme")
    assert add(records, "d1")
    assert ([1, 0, 0], [1, 0, 0]) == (counts(records, "acme"), counts(records, DEFAULT))


def test_what_was_refused_for_its_tenant_can_be_corrected(records: JobStore) -> None:
    """The record of a job with an unusable tenant is of the default one; any tenant replaces it."""
    add(records, "a1", **REFUSED, reason=InvalidTenant.reason)
    assert add(records, "a1", "acme")
    assert ([1, 0, 0], [0, 0, 0], ["a1"]) == (
        counts(records, "acme"),
        counts(records, DEFAULT),
        ids(records, "acme"),
    )


def test_what_an_earlier_version_moved_does_not_upset_the_counts(records: JobStore) -> None:
    """A script that knows no tenants leaves their indexes; the counts are those of the indexes."""
    add(records, "a1", "acme")
    records.redis.hset(key_of("a1", "job:a1"), "state", S.SUBMITTING)
    records.redis.zrem(key_of("a1", "jobs:QUEUED"), "a1")
    records.redis.zadd(key_of("a1", "jobs:SUBMITTING"), {"a1": 1.0})
    records.change("a1", [S.SUBMITTING], Change(to=S.FAILED, event={"name": "moved"}))
    named = records.redis.hgetall(key_of("a1", "named"))
    in_indexes = {
        state: str(sum(map(records.redis.zcard, all_keys(f"jobs:t:acme:{state}"))))
        for state in (S.QUEUED, S.FAILED)
    }
    assert in_indexes == named


def test_the_default_tenant_costs_no_command(records: JobStore) -> None:
    """A job of it takes the commands of a record without a tenant, and leaves no key of one."""
    add(records, "warm")
    records.redis.config_resetstat()
    add(records, "d1")
    records.change("d1", S, Change(to=S.SUBMITTING, due=1.0, event={"name": "moved"}))
    assert {
        "cmdstat_eval": 1,
        "cmdstat_evalsha": 1,
        "cmdstat_role": 1,
        "cmdstat_hmget": 1,
        "cmdstat_hset": 2,
        # The record that a new one may replace, and the answer for whoever created it.
        "cmdstat_hgetall": 1,
        # Into the index of all and that of QUEUED, then of SUBMITTING, and a timer.
        "cmdstat_zadd": 4,
        # From the timers, and from QUEUED.
        "cmdstat_zrem": 2,
        # Each move is counted.
        "cmdstat_hincrby": 2,
        "cmdstat_xadd": 2,
        "cmdstat_spublish": 2,
    } == commands(records)
    keys = {str(key).partition(":{")[2][4:] for key in records.redis.scan_iter("*")}
    assert set() == {key for key in keys if key.startswith(("jobs:t:", "named"))}
