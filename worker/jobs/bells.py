"""The bells of the shards: channels that a record's change of state rings.

`falhook:{2a}:bell` is a channel of its shard (SPUBLISH), so that a Redis Cluster delivers it on the
node that has the shard; before Redis 7.0 it is an ordinary one.
https://redis.io/docs/latest/develop/pubsub/#sharded-pubsub
"""

import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self, cast

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from webhook.redis.clients import as_cluster
from webhook.shards import shard_key
from worker.jobs.store import BELL

# Seconds in which Redis confirms a subscription.
_CONFIRMED = 5.0
# Seconds for which each node of a cluster is heard, one after the other.
_TURN = 0.05


class Bells:
    """A subscription to the bells of some shards, until the block ends."""

    def __init__(self, redis: Redis, shards: Iterable[int]) -> None:
        self._channels = {shard_key(shard, BELL): shard for shard in shards}
        self._redis = redis
        self._in_cluster = as_cluster(redis) is not None
        self._pubsub: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def wait(self, seconds: float) -> set[int]:
        """Return the shards whose bell rang, at once or within these seconds; none if no bell did.

        Raises redis.ConnectionError if Redis is away. The first call subscribes and returns all
        shards: a bell may have rung before it.
        """
        try:
            return self._rung(seconds)
        except (RedisConnectionError, RedisTimeoutError):
            # Another server may have the channels now.
            self._close()
            raise

    def rest(self) -> None:
        """End the subscription until the next `wait`."""
        self._close()

    def _rung(self, seconds: float) -> set[int]:
        if self._pubsub is None:
            self._subscribe()
            return set(self._channels.values())
        rung: set[int] = set()
        ends = time.monotonic() + seconds
        message = self._message(seconds)
        while message is None and (left := ends - time.monotonic()) > 0:
            message = self._message(left)
        while message is not None:
            rung.add(self._channels[message["channel"]])
            message = self._message(0.0)
        return rung

    def _message(self, seconds: float) -> Any:
        if self._in_cluster:
            return self._pubsub.get_sharded_message(
                ignore_subscribe_messages=True, timeout=min(_TURN, max(0.0, seconds))
            )
        return self._pubsub.get_message(ignore_subscribe_messages=True, timeout=max(0.0, seconds))

    def _subscribe(self) -> None:
        pubsub = cast(Any, self._redis).pubsub()
        try:
            pubsub.ssubscribe(*self._channels)
            # A cluster's client reads these with the messages.
            for _ in () if self._in_cluster else self._channels:
                pubsub.get_message(timeout=_CONFIRMED)
        except ResponseError:  # Redis before 7.0 knows no SSUBSCRIBE
            pubsub.close()
            pubsub = cast(Any, self._redis).pubsub()
            pubsub.subscribe(*self._channels)
        self._pubsub = pubsub

    def _close(self) -> None:
        if self._pubsub is not None:
            self._pubsub.close()
            self._pubsub = None
