"""The publish step on real storage: files first, manifest last, the same however often done."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.factories.world import ScriptedFal, World, callback, world_on
from webhook.contract import Task
from worker.errors import Permanent
from worker.jobs.change import Change
from worker.jobs.job import Job, JobState
from worker.jobs.store import job_key
from worker.steps.publish import IN_THE_MANIFEST, Publish
from worker.storage import Storage
from worker.storage.layout import MANIFEST, published_key, work_key, work_prefix
from worker.types import Json

S = JobState
FILES = {"video.mp4": b"a clip", "poster.jpg": b"a picture"}


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """An empty directory."""
    return Storage.open(tmp_path.as_uri())


@pytest.fixture
def world(redis_url: str) -> Iterator[World]:
    """A pipeline on an empty Redis."""
    with world_on(redis_url, ScriptedFal().fal) as world:
        yield world


@pytest.fixture
def job(world: World, storage: Storage) -> Job:
    """A job whose files are made and lie in the work area."""
    world.add_submitted()
    world.deliver(callback())
    for name, content in FILES.items():
        storage.put(work_key("job1", name), content, content_type="video/mp4")
    told = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in FILES.items()
    }
    redis = world.store.redis
    redis.hset(job_key("job1"), "outputs", json.dumps({"method": "copy", "files": told}))
    redis.hset(job_key("job1"), "state", "TAGGED")
    return world.job()


def test_the_event_has_the_addresses_of_the_files(
    world: World, job: Job, storage: Storage, tmp_path: Path
) -> None:
    """A follower of the stream finds the files without reading the manifest."""
    event = Publish(storage=storage, store=world.store).work(job).event
    base = f"{tmp_path}/published/job1"
    assert ([f"{base}/{name}" for name in FILES], f"{base}/{MANIFEST}") == (
        json.loads(event["files"]),
        event["manifest"],
    )


def published(storage: Storage, tmp_path: Path) -> dict[str, bytes]:
    """What lies in the published folder."""
    place = tmp_path / "published" / "job1"
    return {path.name: path.read_bytes() for path in sorted(place.glob("*"))}


def test_files_and_then_their_manifest(
    world: World, job: Job, storage: Storage, tmp_path: Path
) -> None:
    """Everything is in place to the byte, the manifest tells it, the work area is empty."""
    outcome = Publish(storage=storage, store=world.store).work(job)
    lie = published(storage, tmp_path)
    manifest = json.loads(lie.pop(MANIFEST))
    assert (S.PUBLISHED, FILES) == (outcome.to, lie)
    assert ("job1", job.request_id, set(FILES)) == (
        manifest["job_id"],
        manifest["request_id"],
        set(manifest["files"]),
    )
    assert None is storage.size(f"{work_prefix('job1')}/video.mp4")


def test_done_again_it_changes_nothing(
    world: World, job: Job, storage: Storage, tmp_path: Path
) -> None:
    """A worker that died after the manifest leaves a publication that the next one confirms."""
    publish = Publish(storage=storage, store=world.store)
    publish.work(job)
    before = published(storage, tmp_path)
    world.clock.forward(100)
    assert S.PUBLISHED is publish.work(job).to
    assert before == published(storage, tmp_path)


@pytest.mark.parametrize("done", [0, 1])
def test_died_before_the_manifest(
    world: World, job: Job, storage: Storage, tmp_path: Path, done: int
) -> None:
    """A worker that died between files leaves nothing that counts; the next one completes it."""
    for name in list(FILES)[:done]:
        storage.copy(work_key("job1", name), published_key("job1", name))
    assert MANIFEST not in published(storage, tmp_path)
    Publish(storage=storage, store=world.store).work(job)
    assert {*FILES, MANIFEST} == set(published(storage, tmp_path))


def test_a_missing_file_publishes_nothing(
    world: World, job: Job, storage: Storage, tmp_path: Path
) -> None:
    """Where a work file is gone the step fails and no manifest is written."""
    storage.delete(work_prefix("job1"))
    with pytest.raises(Permanent):
        Publish(storage=storage, store=world.store).work(job)
    assert MANIFEST not in published(storage, tmp_path)


def test_a_record_without_files_fails(world: World, storage: Storage) -> None:
    """A job that names no files has nothing to publish."""
    with pytest.raises(Permanent, match="no_outputs"):
        Publish(storage=storage, store=world.store).work(world.add())


def test_through_the_pipeline_it_is_published_once(
    world: World, job: Job, storage: Storage
) -> None:
    """The step moves the job to its end, and a second message finds nothing to do."""
    world.work[Task.PUBLISH] = Publish(storage=storage, store=world.store).work
    world.pipeline.run(Task.PUBLISH, "job1")
    world.pipeline.run(Task.PUBLISH, "job1")
    events = [event["to"] for event in world.history() if event["name"] == "moved"]
    assert (S.PUBLISHED, 1) == (world.state(), events.count(S.PUBLISHED))


def test_a_published_record_is_small(world: World, job: Job, storage: Storage) -> None:
    """It has what finds and explains the job; result, sizes and hashes are in the manifest."""
    world.work[Task.PUBLISH] = Publish(storage=storage, store=world.store).work
    progress = Change(event={"name": "progress", "fraction": "0.5", "step": Task.TRANSCODE_TAG})
    world.store.change("job1", S, progress)
    before = world.store.redis.memory_usage(job_key("job1"), samples=0) or 0
    world.pipeline.run(Task.PUBLISH, "job1")
    record = world.store.redis.hgetall(job_key("job1"))
    assert set() == {*IN_THE_MANIFEST} & {*record}
    assert {"files": list(FILES)} == world.job().outputs
    assert ("", job.request_id) == (world.job().lease_owner, world.job().request_id)
    assert (world.store.redis.memory_usage(job_key("job1"), samples=0) or 0) < before
    assert "files" not in world.history()[-1]
    assert "progress" not in world.names()


def test_the_manifest_has_the_rest_of_the_result(
    world: World, job: Job, storage: Storage, tmp_path: Path
) -> None:
    """What fal says beside files is kept, except the texts that the job sent."""
    payload: dict[str, Json] = {
        "video": {"url": "https://v3b.fal.media/a.mp4"},
        "seed": 7,
        "prompt": "A fox",
    }
    said = replace(job, arguments={"prompt": "A fox"}, payload={**payload, "notes": [None, ""]})
    Publish(storage=storage, store=world.store).work(said)
    manifest = json.loads(published(storage, tmp_path)[MANIFEST])
    assert {"seed": 7, "notes": [""]} == manifest["result"]
