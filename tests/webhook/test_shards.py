"""The shards: fixed for ever, and equal to what any client can compute."""

from redis.crc import key_slot

from webhook.shards import SHARDS, all_keys, key_of, shard_key, shard_of


def test_the_shard_of_an_id_never_changes() -> None:
    """These are what records in Redis were stored under."""
    assert {"job1": 0x39, "a": 0x03, "Ω": 0x33} == {
        job_id: shard_of(job_id) for job_id in ("job1", "a", "Ω")
    }
    assert "falhook:{39}:timers" == key_of("job1", "timers")


def test_the_keys_of_a_shard_have_one_slot() -> None:
    """A cluster keeps them on one node, and the 64 shards on many slots."""
    for shard in range(SHARDS):
        names = ("job:a{b}c", "jobs", "jobs:QUEUED", "inbox:x", "bell")
        assert 1 == len({key_slot(shard_key(shard, name).encode()) for name in names})
    assert SHARDS == len({key_slot(key.encode()) for key in all_keys("jobs")})
