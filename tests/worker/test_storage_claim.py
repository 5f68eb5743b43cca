"""A worker keeps to the storage of its deployment."""

import time
from pathlib import Path

import pytest

from tests.factories.log_lines import events
from tests.factories.worker_process import started
from worker.jobs.deployment import known_storage
from worker.jobs.job import Job
from worker.jobs.store import JobStore
from worker.storage import Storage
from worker.storage.local_directory import MARKER
from worker.storage_claim import OtherStorage, claim_storage, open_storage


def claimed(records: JobStore, redis_url: str, directory: Path) -> Storage:
    """Start like a worker on this directory."""
    storage = open_storage(str(directory), redis_url, patience=0)
    claim_storage(records.redis, storage)
    return storage


def test_a_new_deployment_creates_its_storage(
    records: JobStore, redis_url: str, tmp_path: Path
) -> None:
    """Redis knows its id from then on, and workers that start again find the same one."""
    claimed(records, redis_url, tmp_path / "storage")
    known = known_storage(records.redis)
    assert known is not None
    assert f"id: {known.id}" in (tmp_path / "storage" / MARKER).read_text()
    claimed(records, redis_url, tmp_path / "storage")
    assert known == known_storage(records.redis)


@pytest.mark.parametrize("left", ["nothing", "an empty mount point"])
def test_a_directory_that_vanished_is_not_created_again(
    records: JobStore, redis_url: str, tmp_path: Path, left: str
) -> None:
    """The sentence has the id and the cure; when the volume is back, the worker starts."""
    volume = tmp_path / "storage"
    claimed(records, redis_url, volume)
    volume.rename(tmp_path / "away")
    if left != "nothing":
        volume.mkdir()
    with pytest.raises(OtherStorage, match=r"mount or restore it.*redis-cli DEL falhook:storage"):
        claimed(records, redis_url, volume)
    assert [] == list(volume.glob("*"))
    if left != "nothing":
        volume.rmdir()
    (tmp_path / "away").rename(volume)
    claimed(records, redis_url, volume)


def test_another_storage_is_refused(records: JobStore, redis_url: str, tmp_path: Path) -> None:
    """Even if it is one of falhook; if it was moved with its marker it is the same."""
    claimed(records, redis_url, tmp_path / "storage")
    Storage.open(str(tmp_path / "other"))
    with pytest.raises(OtherStorage, match=r"is not the storage of the jobs.*move \.falhook too"):
        claimed(records, redis_url, tmp_path / "other")
    (tmp_path / "storage" / MARKER).rename(tmp_path / "other" / MARKER)
    claimed(records, redis_url, tmp_path / "other")


def test_a_storage_from_before_the_ids_gets_one(
    records: JobStore, redis_url: str, tmp_path: Path
) -> None:
    """Its marker has only a sentence; a missing one is not created, since there are jobs."""
    records.add(Job(id="old", endpoint="a/b", arguments={}), due=time.time(), event={"name": "n"})
    with pytest.raises(OtherStorage):
        claimed(records, redis_url, tmp_path / "storage")
    (tmp_path / "storage").mkdir()
    (tmp_path / "storage" / MARKER).write_text("falhook stores its files here.\n")
    claimed(records, redis_url, tmp_path / "storage")
    known = known_storage(records.redis)
    assert known is not None
    assert 32 == len(known.id)


def test_a_redis_that_is_away_does_not_make_a_deployment_new(tmp_path: Path) -> None:
    """Nothing is created until Redis has said that there is no storage."""
    with pytest.raises(OtherStorage, match="start Redis first"):
        open_storage(str(tmp_path / "storage"), "redis://127.0.0.1:1/0", patience=0)
    assert [] == list(tmp_path.iterdir())


def test_a_worker_does_not_start_without_its_storage(
    records: JobStore, redis_url: str, tmp_path: Path
) -> None:
    """The process exits with 2 and one sentence, and creates nothing."""
    claimed(records, redis_url, tmp_path / "storage")
    (tmp_path / "storage").rename(tmp_path / "away")
    done = started(redis_url, tmp_path, "-Q", "publish")
    [line] = events(done.stderr)
    assert (2, "process.refused") == (done.returncode, line["event"])
    assert not (tmp_path / "storage").exists()
