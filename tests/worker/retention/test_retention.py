"""Ended jobs leave Redis after their period, and nothing about them is lost."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from structlog.testing import capture_logs

from tests.factories.listed import history_of, jobs_of
from tests.factories.world import ENDPOINT, ScriptedFal, World, callback, world_on
from worker.catalogue.catalogue import Catalogue
from worker.cli.main import cli
from worker.jobs.change import Change
from worker.jobs.job import Job, JobState
from worker.jobs.listing import count
from worker.jobs.store import ARCHIVING, job_key
from worker.jobs.tenant import DEFAULT
from worker.operations.create import FingerprintMismatch, JobCreator
from worker.operations.create_message import Intake
from worker.operations.request import InvalidJobId, JobRequest
from worker.operations.staging import Staging
from worker.operations.validation import Validator
from worker.retention.archive import FILE, Archive
from worker.retention.periods import RetentionPeriods
from worker.retention.retention import Retention, unneeded_after
from worker.storage import Storage
from worker.storage.layout import published_key, storage_key, work_key

DAY = 86_400.0
PERIODS = RetentionPeriods.parse("1d,FAILED=2d")
S = JobState


@pytest.fixture
def world(redis_url: str) -> Iterator[World]:
    """A pipeline on an empty Redis."""
    with world_on(redis_url, ScriptedFal().fal) as world:
        yield world


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """A directory as storage."""
    return Storage.open(str(tmp_path / "storage"))


@pytest.fixture
def retention(world: World, storage: Storage) -> Retention:
    """A retention of one day, and of two for failed jobs."""
    archive = Archive(redis=world.store.redis, storage=lambda: storage)
    return Retention(redis=world.store.redis, archive=archive, periods=PERIODS, clock=world.clock)


def end(world: World, job_id: str, state: JobState = S.PUBLISHED, **fields: object) -> Job:
    """Add a job that ends now."""
    world.add(job_id, **fields)
    for to in (S.SUBMITTING, S.SUBMITTED, S.RENDERED, S.DOWNLOADED, S.TAGGED):
        world.store.change(job_id, S, Change(to=to, event={"name": "moved"}))
    world.store.change(job_id, S, Change(to=state, due=0, event={"name": "moved"}))
    return world.job(job_id)


def keys_of(world: World, job_id: str) -> list[str]:
    """Return the keys in Redis that have something of the job."""
    redis = world.store.redis
    found = []
    for key in map(str, redis.scan_iter("falhook:{*")):
        in_set = redis.type(key) == "zset" and redis.zscore(key, job_id) is not None
        if in_set or job_id in key:
            found.append(key)
    return found


def test_an_ended_job_moves_to_storage(
    world: World, storage: Storage, retention: Retention
) -> None:
    """Record and history are read from storage as they were, and Redis has nothing of them."""
    job, events = end(world, "job1"), history_of(world.store, "job1")
    storage.put(work_key("job1", "source.mp4"), b"x", content_type="video/mp4")
    world.clock.forward(DAY + 1)
    assert 1 == retention.run()
    archived = retention.archive.get("job1")
    assert archived is not None
    assert replace(job, history="") == replace(archived, history="")
    assert [] == keys_of(world, "job1")
    assert None is storage.size(work_key("job1", "source.mp4"))
    lines = (storage.read(published_key("job1", FILE)) or b"").decode().splitlines()
    assert list(events) == [json.loads(line) for line in lines[1:]]


def test_nothing_of_an_archived_job_of_a_tenant_is_left(world: World, retention: Retention) -> None:
    """It leaves the tenant's indexes and counts; its record keeps tenant and fingerprint."""
    end(world, "job1", tenant="acme", fingerprint='{"endpoint":"0123456789ab"}')
    world.add("job2", tenant="acme")
    world.clock.forward(DAY + 1)
    assert 1 == retention.run()
    archived = retention.archive.get("job1")
    assert archived is not None
    assert ("acme", '{"endpoint":"0123456789ab"}') == (archived.tenant, archived.fingerprint)
    assert [] == keys_of(world, "job1")
    assert {S.PUBLISHED: 0, S.QUEUED: 1} == count(
        world.store.redis, [S.PUBLISHED, S.QUEUED], "acme"
    )
    assert {S.PUBLISHED: 0} == count(world.store.redis, [S.PUBLISHED], DEFAULT)


def test_each_state_has_its_period(world: World, retention: Retention) -> None:
    """Failed jobs stay for a day longer here, and open ones always."""
    end(world, "published")
    end(world, "failed", S.FAILED)
    world.add("open")
    world.clock.forward(DAY + 1)
    retention.run()
    assert {"failed", "open"} == {job.id for job in jobs_of(world.store)}
    world.clock.forward(DAY)
    retention.run()
    assert {"open"} == {job.id for job in jobs_of(world.store)}


def test_a_job_that_changed_meanwhile_stays(
    world: World, retention: Retention, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What happens between the file and the removal is not lost."""
    end(world, "job1")
    world.clock.forward(DAY + 1)
    put = Archive.put

    def changed(archive: Archive, job: Job, *, now: float) -> str:
        lines = put(archive, job, now=now)
        world.store.change("job1", S, Change(event={"name": "duplicate"}))
        return lines

    monkeypatch.setattr(Archive, "put", changed)
    assert 0 == retention.run()
    assert "duplicate" == world.names()[-1]
    monkeypatch.undo()
    assert 1 == retention.run()
    archived = retention.archive.get("job1")
    assert archived is not None
    assert "duplicate" in archived.history


def test_a_storage_that_is_away_keeps_the_records(
    world: World, storage: Storage, retention: Retention
) -> None:
    """Nothing leaves Redis before it is in storage."""
    end(world, "job1")
    world.clock.forward(DAY + 1)
    assert storage.root is not None
    (storage.root / "published").write_text("in the way")
    assert 0 == retention.run()
    assert S.PUBLISHED == world.state("job1")


def test_an_archived_id_is_not_created_again(world: World, retention: Retention) -> None:
    """The same request returns the archived job; it would be paid twice."""
    end(world, "job1")
    world.clock.forward(DAY + 1)
    retention.run()
    staging = Staging(storage=retention.archive.storage, directory=None)
    creator = JobCreator(
        store=world.store,
        validator=Validator(catalogue=Catalogue.load(), staging=staging),
        wake=lambda task, job_id: world.wakes.append((task, job_id)),
        archived=retention.archive.get,
    )
    world.wakes.clear()
    arguments = {"prompt": "A fox"}
    created = creator.create(JobRequest(job_id="job1", endpoint=ENDPOINT, arguments=arguments))
    assert (S.PUBLISHED, [], None) == (created.state, world.wakes, world.store.get("job1"))


def test_a_key_of_an_archived_job_works_for_ever(world: World, retention: Retention) -> None:
    """Its tenant and its fingerprint decide as they did; a rejection since then changes nothing."""
    end(world, "job1", tenant="acme", fingerprint='{"prompt":"1"}')
    world.clock.forward(DAY + 1)
    retention.run()
    staging = Staging(storage=retention.archive.storage, directory=None)
    creator = JobCreator(
        store=world.store,
        validator=Validator(catalogue=Catalogue.load(), staging=staging),
        wake=lambda task, job_id: world.wakes.append((task, job_id)),
        archived=retention.archive.get,
    )
    same = JobRequest(
        job_id="job1",
        endpoint=ENDPOINT,
        arguments={"prompt": "A fox"},
        tenant="acme",
        fingerprint='{"prompt":"1"}',
    )
    Intake(creator=creator).receive(replace(same, arguments={}), None)
    assert world.job().refused
    assert S.PUBLISHED is creator.create(same).state
    with pytest.raises(FingerprintMismatch, match="differs in prompt"):
        creator.create(replace(same, fingerprint='{"prompt":"2"}'))
    world.store.redis.delete(job_key("job1"))
    with pytest.raises(InvalidJobId, match="job1 is taken"):
        creator.create(replace(same, tenant="default"))


def test_a_late_callback_does_not_bring_it_back(world: World, retention: Retention) -> None:
    """A callback of an archived job is set aside like one of an unknown job."""
    end(world, "job1")
    world.clock.forward(DAY + 1)
    retention.run()
    world.deliver(callback())
    assert None is world.store.get("job1")


def test_old_files_are_deleted_once_a_day(
    world: World, storage: Storage, retention: Retention
) -> None:
    """Inputs and work files older than any job go; newer ones and published files stay."""
    old = world.clock() - unneeded_after(PERIODS) - 1
    keys = [storage_key("a.png"), work_key("gone", "x.mp4"), published_key("gone", "video.mp4")]
    for key in (*keys, storage_key("new.png")):
        storage.put(key, b"x", content_type="video/mp4")
        assert storage.root is not None
        at = old if key in keys else world.clock()
        os.utime(storage.root / key, (at, at))
    retention.run()
    left = {key for key in (*keys, storage_key("new.png")) if storage.size(key) is not None}
    assert {keys[2], storage_key("new.png")} == left


def test_show_reads_the_archive(
    world: World, storage: Storage, retention: Retention, redis_url: str
) -> None:
    """The command prints the record and says where it is from."""
    end(world, "job1")
    world.clock.forward(DAY + 1)
    retention.run()
    environment = {"REDIS_URL": redis_url, "FALHOOK_STORAGE_URL": str(storage.root)}
    run = CliRunner().invoke(cli, ["show", "job1"], env=environment)
    assert (0, True, True) == (
        run.exit_code,
        f"From the archive: {storage.root}/published/job1/{FILE}" in run.stderr,
        "PUBLISHED" in run.stdout,
    )
    record = CliRunner().invoke(cli, ["show", "job1", "--json"], env=environment).stdout
    assert ("PUBLISHED", 7) == (json.loads(record)["state"], len(json.loads(record)["history"]))


def test_nothing_is_looked_up_before_the_first_archived_job(world: World) -> None:
    """A creation does not read storage for an id that cannot be there."""

    def unopened() -> Storage:
        raise AssertionError

    assert None is Archive(redis=world.store.redis, storage=unopened).get("job1")
    assert not world.raw.exists(ARCHIVING)
    assert not world.raw.exists(job_key("job1"))


def test_a_record_that_cannot_be_read_does_not_stop_the_others(
    world: World, retention: Retention
) -> None:
    """It stays in Redis and is named in the log with the cure; the job after it is archived."""
    end(world, "broken")
    world.clock.forward(1)
    end(world, "later")
    world.store.redis.hset(job_key("broken"), "attempt", "many")
    world.clock.forward(DAY + 1)
    with capture_logs() as lines:
        assert 1 == retention.run()
    assert [("record.unreadable", "broken", "error")] == [
        (line["event"], line["job"], line["log_level"]) for line in lines if "job" in line
    ]
    assert world.store.redis.exists(job_key("broken"))
    assert retention.archive.get("later") is not None
