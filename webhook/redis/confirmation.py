"""Writes that every replica has before they count, so that no election can undo them.

Replication is asynchronous: a replica that is elected may lack what its primary acknowledged. So a
write that money depends on is followed by WAIT on the same connection, for every replica that is
connected: whichever is elected has the write. The replicas are counted by ROLE, in the same trip.
https://redis.io/docs/latest/commands/wait/
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import cycle
from typing import Any, TypeAlias

from redis import Redis
from redis import asyncio as aio
from redis.asyncio import cluster as aio_cluster
from redis.asyncio import sentinel as aio_sentinel
from redis.exceptions import AskError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.sentinel import SentinelConnectionPool

from webhook.redis.clients import as_async_cluster, as_cluster

# Milliseconds in which all replicas must have the write. They have it within one or two, unless
# one of them hangs: then nothing is gained by waiting longer.
WAIT = 500
# Seconds for which a primary without replicas is suspected of having lost them to another one.
SUSPECTED = 60.0
# The first try may learn of a replica, or of the node that has the key now.
_TRIES = 3

Argument: TypeAlias = str | bytes | float


class Unconfirmed(RedisError):
    """Redis has made the write, but not every replica has confirmed it."""


class _NewReplica(Unconfirmed):
    """The answer counted more replicas than WAIT had asked for: ask again."""


_AGAIN = (_NewReplica, AskError)


class Replicas:
    """The replicas of one server, as its last answer counted them; `least` are required always.

    `clock` is monotonic seconds.
    """

    def __init__(self, least: int = 0, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._least = least
        self._clock = clock
        self._online = 0
        self._suspected_until = float("-inf")

    @property
    def commands(self) -> Sequence[tuple[Argument, ...]]:
        """The commands that follow a write on its connection; `confirm` takes their answers."""
        return ("WAIT", self.wanted, WAIT), ("ROLE",)

    @property
    def wanted(self) -> int:
        """How many replicas must confirm."""
        suspected = 1 if self._clock() < self._suspected_until else 0
        return max(self._least, self._online, suspected)

    def confirm(self, acknowledged: object, role: object) -> None:
        """Return if all replicas have the write; learn how many there are.

        Raises Unconfirmed if they have it not, and what Redis answered in place of the number.
        """
        if isinstance(acknowledged, Exception):
            raise acknowledged
        asked = self.wanted
        self._online = _online(role)
        if self._online:
            self._suspected_until = self._clock() + SUSPECTED
        if int(str(acknowledged)) < self.wanted:
            words = f"fewer than {self.wanted} replicas confirmed the write within {WAIT} ms"
            raise (_NewReplica if self.wanted > asked else Unconfirmed)(words)


def _online(role: object) -> int:
    """Return how many replicas ROLE lists; 0 for a user that may not ask, and for a replica."""
    if not isinstance(role, list) or role[0] not in {b"master", "master"}:
        return 0
    return len(role[2])


class _Servers:
    """The replicas of each server, by its name."""

    def __init__(self, least: int) -> None:
        self._least = least
        self._known: dict[str, Replicas] = {}

    def __getitem__(self, name: str) -> Replicas:
        return self._known.setdefault(name, Replicas(self._least))


class ConfirmedScripts:
    """Runs scripts whose writes every replica has. Behind sentinels there must be one at least."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        pool = getattr(redis, "connection_pool", None)
        self._servers = _Servers(1 if isinstance(pool, SentinelConnectionPool) else 0)

    def eval(self, script: str, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """Run the script, which may run more than once and must write each time; return its answer.

        Raises Unconfirmed, and what redis-py raises: it may have run all the same.
        """
        for left in reversed(range(_TRIES)):
            try:
                return self._once(script, keys, args)
            except (_NewReplica, AskError) as error:
                if not left:
                    raise
                if isinstance(error, AskError):
                    self._learn_nodes()
        raise AssertionError("the last try returns or raises")

    def _once(self, script: str, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        name, server = self._server_of(keys[0])
        replicas = self._servers[name]
        pipe = server.pipeline(transaction=False)
        pipe.eval(script, len(keys), *keys, *args)
        for command in replicas.commands:
            pipe.execute_command(*command)  # type: ignore[no-untyped-call]
        answer, acknowledged, role = pipe.execute(raise_on_error=False)
        if isinstance(answer, Exception):
            raise answer
        replicas.confirm(acknowledged, role)
        return answer

    def _server_of(self, key: str) -> tuple[str, Redis]:
        """Return the name of the server that has the key, and its client."""
        # In a cluster a pipeline would send WAIT to any node.
        if (cluster := as_cluster(self._redis)) is None:
            return "", self._redis
        node = cluster.get_node_from_key(key)  # type: ignore[no-untyped-call]
        return node.name, cluster.get_redis_connection(node)

    def _learn_nodes(self) -> None:
        if (cluster := as_cluster(self._redis)) is not None:
            cluster.nodes_manager.initialize()


class AsyncConfirmedScripts:
    """The same for asyncio, for many keys at a time."""

    def __init__(self, redis: aio.Redis) -> None:
        self._redis = redis
        pool = getattr(redis, "connection_pool", None)
        behind_sentinels = isinstance(pool, aio_sentinel.SentinelConnectionPool)
        self._servers = _Servers(1 if behind_sentinels else 0)
        self._nodes_moved = False

    async def eval(
        self, script: str, calls: Mapping[str, Sequence[Argument]]
    ) -> Mapping[str, Exception]:
        """Run the script for each key with its arguments, perhaps more than once.

        Return the errors by key: of those that did not run, or that not every replica has. Raises
        what redis-py raises if Redis is away.
        """
        outcome: dict[str, Exception | None] = dict.fromkeys(calls)
        left = list(calls)
        for _ in range(_TRIES):
            outcome |= await self._once(script, {key: calls[key] for key in left})
            left = [key for key, error in outcome.items() if isinstance(error, _AGAIN)]
            if not left:
                break
        return {key: error for key, error in outcome.items() if error is not None}

    async def _once(
        self, script: str, calls: Mapping[str, Sequence[Argument]]
    ) -> Mapping[str, Exception | None]:
        if (cluster := as_async_cluster(self._redis)) is None:
            return await self._on("", self._send, calls, [_together(script, calls)])
        await cluster.initialize()
        if self._nodes_moved:
            await cluster.nodes_manager.initialize()
            self._nodes_moved = False
        parts: dict[aio_cluster.ClusterNode, dict[str, Sequence[Argument]]] = {}
        for key, args in calls.items():
            node = cluster.get_node_from_key(key)
            assert node is not None, "each slot has a primary"
            parts.setdefault(node, {})[key] = args
        outcomes = await asyncio.gather(
            *(self._on_node(node, script, part) for node, part in parts.items())
        )
        return {key: error for outcome in outcomes for key, error in outcome.items()}

    async def _on_node(
        self, node: aio_cluster.ClusterNode, script: str, calls: Mapping[str, Sequence[Argument]]
    ) -> Mapping[str, Exception | None]:
        async def send(commands: Sequence[tuple[Argument, ...]]) -> Sequence[object]:
            sent = [aio_cluster.PipelineCommand(n, *each) for n, each in enumerate(commands)]
            await node.execute_pipeline(sent)
            return [each.result for each in sent]

        try:
            scripts = [("EVAL", script, 1, key, *args) for key, args in calls.items()]
            outcome = await self._on(node.name, send, calls, scripts)
        except (RedisError, OSError) as error:
            outcome = dict.fromkeys(calls, error)
        moved = (AskError, RedisConnectionError, RedisTimeoutError, OSError)
        if any(isinstance(error, moved) for error in outcome.values()):
            self._nodes_moved = True
        return outcome

    async def _send(self, commands: Sequence[tuple[Argument, ...]]) -> Sequence[object]:
        pipe = self._redis.pipeline(transaction=False)
        for command in commands:
            pipe.execute_command(*command)
        answers: Sequence[object] = await pipe.execute(raise_on_error=False)
        return answers

    async def _on(
        self,
        name: str,
        send: Callable[[Sequence[tuple[Argument, ...]]], Awaitable[Sequence[object]]],
        keys: Iterable[str],
        scripts: Sequence[tuple[Argument, ...]],
    ) -> Mapping[str, Exception | None]:
        """Send the scripts, one for each key or one for all, to one server; return their errors."""
        replicas = self._servers[name]
        *written, acknowledged, role = await send([*scripts, *replicas.commands])
        lacking: Exception | None = None
        try:
            replicas.confirm(acknowledged, role)
        except RedisError as error:
            lacking = error
        return {
            key: answer if isinstance(answer, Exception) else lacking
            for key, answer in zip(keys, cycle(written), strict=False)
        }


# Runs a script for one key after the other. Each has the number of its arguments before them.
_EACH = """
local function run(KEYS, ARGV)
%s
end
local at = 1
for _, key in ipairs(KEYS) do
  local args = {}
  for number = 1, tonumber(ARGV[at]) do args[number] = ARGV[at + number] end
  run({key}, args)
  at = at + #args + 1
end
"""


def _together(script: str, calls: Mapping[str, Sequence[Argument]]) -> tuple[Argument, ...]:
    """Return one command for all keys, which a cluster would refuse: 64 of them take 2 ms more."""
    args = [each for some in calls.values() for each in (len(some), *some)]
    return ("EVAL", _EACH % script, len(calls), *calls, *args)
