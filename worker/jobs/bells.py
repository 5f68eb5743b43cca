"""The bells of the shards: channels that a record's change of state rings.

`falhook:{2a}:bell` is a channel of its shard (SPUBLISH), so that a Redis Cluster delivers it on the
node that has the shard; before Redis 7.0 it is an ordinary one.
https://redis.io/docs/latest/develop/pubsub/#sharded-pubsub
"""

from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self, cast

from redis import Redis
from redis.exceptions import ResponseError

from webhook.shards import shard_key
from worker.jobs.store import BELL

# Seconds in which Redis confirms a subscription.
_CONFIRMED = 5.0


class Bells:
    """A subscription to the bells of some shards, until the block ends."""

    def __init__(self, redis: Redis, shards: Iterable[int]) -> None:
        self._channels = {shard_key(shard, BELL): shard for shard in shards}
        self._redis = redis
        self._pubsub: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pubsub is not None:
            self._pubsub.close()

    def wait(self, seconds: float) -> set[int]:
        """Return the shards whose bell rang, at once or within these seconds; none if no bell did.

        Raises redis.ConnectionError if Redis is away. The first call subscribes and returns all
        shards: a bell may have rung before it.
        """
        if self._pubsub is None:
            self._subscribe()
            return set(self._channels.values())
        rung: set[int] = set()
        message = self._pubsub.get_message(
            ignore_subscribe_messages=True, timeout=max(0.0, seconds)
        )
        while message is not None:
            rung.add(self._channels[message["channel"]])
            message = self._pubsub.get_message(ignore_subscribe_messages=True)
        return rung

    def _subscribe(self) -> None:
        pubsub = cast(Any, self._redis).pubsub()
        try:
            pubsub.ssubscribe(*self._channels)
            for _ in self._channels:
                pubsub.get_message(timeout=_CONFIRMED)
        except ResponseError:  # Redis before 7.0 knows no SSUBSCRIBE
            pubsub.close()
            pubsub = cast(Any, self._redis).pubsub()
            pubsub.subscribe(*self._channels)
        self._pubsub = pubsub
