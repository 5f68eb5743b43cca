"""The shards of the records: all keys of one job have one hash tag, so that a script may use them.

There are always 64, on a single server too. A Redis Cluster puts each on one of its nodes:
https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags

falhook:{2a}:NAME   the key NAME of the shard with number 0x2a
"""

from collections.abc import Sequence
from zlib import crc32

SHARDS = 64


def shard_of(job_id: str) -> int:
    """Return the number of the job's shard, which never changes."""
    return crc32(job_id.encode()) % SHARDS


def shard_key(shard: int, name: str) -> str:
    """Return a key of a shard, such as its timers."""
    return f"falhook:{{{shard:02x}}}:{name}"


def key_of(job_id: str, name: str) -> str:
    """Return the key `name` of the job's shard."""
    return shard_key(shard_of(job_id), name)


def all_keys(name: str) -> Sequence[str]:
    """Return the key `name` of every shard, in the order of their numbers."""
    return [shard_key(shard, name) for shard in range(SHARDS)]
