"""Writes that every replica has before they count, so that no election can undo them.

Replication is asynchronous: a replica that is elected may lack what its primary acknowledged. So a
write that money depends on is followed by WAIT on the same connection, for every replica that is
connected: whichever is elected has the write. The replicas are counted by ROLE, in the same trip.
https://redis.io/docs/latest/commands/wait/
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import cycle
from typing import Any

from redis import Redis
from redis import asyncio as aio
from redis.asyncio import cluster as aio_cluster
from redis.asyncio import sentinel as aio_sentinel
from redis.exceptions import AskError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.sentinel import SentinelConnectionPool

from webhook.redis.clients import as_async_cluster, as_cluster
from webhook.redis.cluster_view import is_alone, is_alone_async, is_primary, is_primary_async
from webhook.redis.replicas import Argument, AskAgain, Servers, Unconfirmed
from webhook.redis.round_trip import ask
from webhook.redis.standing_connection import StandingConnection

# The first tries may learn of a replica, or of the node that has the key now.
_TRIES = 4
_AGAIN = (AskAgain, AskError)
_AWAY = (RedisConnectionError, RedisTimeoutError, OSError)


class ConfirmedScripts:
    """Runs scripts whose writes every replica has. Behind sentinels there must be one at least."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        pool = getattr(redis, "connection_pool", None)
        self._servers = Servers(
            least=1 if isinstance(pool, SentinelConnectionPool) else 0,
            doubted=as_cluster(redis) is not None,
        )

    def eval(self, script: str, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """Run the script, which may run more than once and must write each time; return its answer.

        Raises Unconfirmed, and what redis-py raises: it may have run all the same.
        """
        for left in reversed(range(_TRIES)):
            try:
                return self._once(script, keys, args)
            except _AGAIN:
                if not left:
                    raise
        raise AssertionError("the last try returns or raises")

    def _once(self, script: str, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        if (cluster := as_cluster(self._redis)) is None:
            return self._on("", self._redis, script, keys, args)
        # A pipeline of the cluster would send WAIT to any node.
        node = cluster.get_node_from_key(keys[0])  # type: ignore[no-untyped-call]
        replicas = self._servers[node.name]
        if replicas.only_suspected and is_alone(cluster, keys[0]):
            replicas.trust()
        try:
            return self._on(node.name, cluster.get_redis_connection(node), script, keys, args)
        except AskError:
            cluster.nodes_manager.initialize()
            raise
        except _AWAY:
            cluster.nodes_manager.initialize(last_failed_node_name=node.name)
            raise
        except Unconfirmed as unconfirmed:
            if replicas.only_suspected and is_primary(cluster, node.name, keys[0]):
                replicas.trust()
                raise AskAgain(str(unconfirmed)) from unconfirmed
            raise

    def _on(
        self,
        name: str,
        server: Redis,
        script: str,
        keys: Sequence[str],
        args: Sequence[Argument],
    ) -> Any:
        replicas = self._servers[name]
        run = ("EVAL", script, len(keys), *keys, *args)
        answer, *confirmed = ask(server, [run, *replicas.commands])
        if isinstance(answer, Exception):
            raise answer
        replicas.confirm(confirmed)
        return answer


class AsyncConfirmedScripts:
    """The same for asyncio, for many keys at a time."""

    def __init__(self, redis: aio.Redis) -> None:
        self._redis = redis
        pool = getattr(redis, "connection_pool", None)
        behind_sentinels = isinstance(pool, aio_sentinel.SentinelConnectionPool)
        self._servers = Servers(
            least=1 if behind_sentinels else 0, doubted=as_async_cluster(redis) is not None
        )
        self._connection = StandingConnection(pool) if pool is not None else None
        # The node that failed last, or another reason to learn the nodes again.
        self._relearn: str | None = None

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
            assert self._connection is not None, "only a cluster has no pool"
            return await self._on("", self._connection.ask, calls, [_together(script, calls)])
        await cluster.initialize()
        if self._relearn is not None:
            await cluster.nodes_manager.initialize(last_failed_node_name=self._relearn)
            self._relearn = None
        parts: dict[aio_cluster.ClusterNode, dict[str, Sequence[Argument]]] = {}
        for key, args in calls.items():
            node = cluster.get_node_from_key(key)
            assert node is not None, "each slot has a primary"
            parts.setdefault(node, {})[key] = args
        outcomes = await asyncio.gather(
            *(self._on_node(cluster, node, script, part) for node, part in parts.items())
        )
        return {key: error for outcome in outcomes for key, error in outcome.items()}

    async def _on_node(
        self,
        cluster: aio_cluster.RedisCluster,
        node: aio_cluster.ClusterNode,
        script: str,
        calls: Mapping[str, Sequence[Argument]],
    ) -> Mapping[str, Exception | None]:
        async def send(commands: Sequence[tuple[Argument, ...]]) -> Sequence[object]:
            sent = [aio_cluster.PipelineCommand(n, *each) for n, each in enumerate(commands)]
            await node.execute_pipeline(sent)
            return [each.result for each in sent]

        replicas = self._servers[node.name]
        try:
            if replicas.only_suspected and await is_alone_async(cluster, next(iter(calls))):
                replicas.trust()
            scripts = [("EVAL", script, 1, key, *args) for key, args in calls.items()]
            outcome = await self._on(node.name, send, calls, scripts)
        except (RedisError, OSError) as error:
            outcome = dict.fromkeys(calls, error)
        if any(isinstance(error, (AskError, *_AWAY)) for error in outcome.values()):
            self._relearn = node.name
        return await self._checked(cluster, node.name, outcome)

    async def _checked(
        self,
        cluster: aio_cluster.RedisCluster,
        name: str,
        outcome: Mapping[str, Exception | None],
    ) -> Mapping[str, Exception | None]:
        """Return the outcome; what only a suspicion of this node refused is asked again."""
        refused = [key for key, error in outcome.items() if isinstance(error, Unconfirmed)]
        replicas = self._servers[name]
        if not (refused and replicas.only_suspected):
            return outcome
        if not await is_primary_async(cluster, name, refused[0]):
            return outcome
        replicas.trust()
        again = AskAgain("the server has no replica, and none was elected")
        return {**outcome, **dict.fromkeys(refused, again)}

    async def _on(
        self,
        name: str,
        send: Callable[[Sequence[tuple[Argument, ...]]], Awaitable[Sequence[object]]],
        keys: Iterable[str],
        scripts: Sequence[tuple[Argument, ...]],
    ) -> Mapping[str, Exception | None]:
        """Send the scripts, one for each key or one for all, to one server; return their errors."""
        replicas = self._servers[name]
        answers = await send([*scripts, *replicas.commands])
        written, confirmed = answers[: len(scripts)], answers[len(scripts) :]
        lacking: Exception | None = None
        try:
            replicas.confirm(confirmed)
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
    if len(calls) == 1:
        [(key, arguments)] = calls.items()
        return ("EVAL", _encoded(script), 1, key, *arguments)
    args = [each for some in calls.values() for each in (len(some), *some)]
    return ("EVAL", _encoded(_EACH, script), len(calls), *calls, *args)


@cache
def _encoded(script: str, part: str | None = None) -> bytes:
    return (script if part is None else script % part).encode()
