"""A Redis that was restored from a copy is older than its storage saw it."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from worker.jobs.store import JobStore
from worker.redis_age import COUNT, SEEN, TURN, RedisAge, RedisBehind, Seen, require_newest
from worker.storage import Storage

NOON = 1_800_000_000.0


class Noted:
    """A Redis and a storage whose minutes pass when they are told to."""

    def __init__(self, records: JobStore, directory: Path) -> None:
        self.redis = records.redis
        self.storage = Storage.open(str(directory))
        self.at = NOON

    def minute(self) -> None:
        """Let a minute pass, and note the age."""
        self.redis.delete(TURN)
        self.at += 60
        RedisAge(redis=self.redis, storage=self.storage, clock=lambda: self.at).note()


@pytest.fixture
def noted(records: JobStore, tmp_path: Path) -> Noted:
    """A deployment that noted its age twice."""
    deployment = Noted(records, tmp_path / "storage")
    assert require_newest(deployment.redis, deployment.storage) is None
    deployment.minute()
    deployment.minute()
    return deployment


def test_a_redis_that_goes_on_is_the_newest(noted: Noted) -> None:
    """The storage has its last number and the time; a second note within the minute is none."""
    assert Seen(2, NOON + 120) == require_newest(noted.redis, noted.storage)
    RedisAge(redis=noted.redis, storage=noted.storage, clock=lambda: NOON).note()
    assert Seen(2, NOON + 120) == require_newest(noted.redis, noted.storage)


def test_a_restored_copy_is_behind(noted: Noted) -> None:
    """The sentence has the time and the cure; it stays behind until somebody did as it says."""
    noted.minute()
    noted.redis.set(COUNT, 2)  # the copy was made a minute ago
    with capture_logs() as logged:
        noted.minute()
        noted.minute()
    assert ["redis.behind"] * 2 == [line["event"] for line in logged]
    with pytest.raises(RedisBehind, match=r"saw at 2027-01-15 08:03 UTC.*SET falhook:age 3$"):
        require_newest(noted.redis, noted.storage)
    noted.redis.set(COUNT, 3)
    noted.minute()
    assert Seen(4, noted.at) == require_newest(noted.redis, noted.storage)


def test_an_emptied_redis_is_behind(noted: Noted) -> None:
    """It lost every job that the storage has files of."""
    noted.redis.flushdb()
    with pytest.raises(RedisBehind):
        require_newest(noted.redis, noted.storage)


def test_a_storage_that_is_behind_proves_nothing(noted: Noted) -> None:
    """It missed a write, or was restored itself; a file that was cut off is written again."""
    noted.redis.incr(COUNT)
    assert Seen(2, NOON + 120) == require_newest(noted.redis, noted.storage)
    noted.storage.put(SEEN, b"2", content_type="text/plain")
    assert require_newest(noted.redis, noted.storage) is None
    noted.minute()
    assert Seen(4, noted.at) == require_newest(noted.redis, noted.storage)


def test_a_storage_that_is_away_does_not_end_the_sweep(noted: Noted, tmp_path: Path) -> None:
    """The next minute notes the age again."""
    (tmp_path / "storage").rename(tmp_path / "away")
    noted.minute()
    (tmp_path / "away").rename(tmp_path / "storage")
    noted.minute()
    seen = require_newest(noted.redis, noted.storage)
    assert seen is not None
    assert noted.at == seen.at
