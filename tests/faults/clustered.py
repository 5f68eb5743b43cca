"""A cluster of three primaries with a replica each, one of whose primaries can be struck."""

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis import Redis
from redis.crc import key_slot
from redis.exceptions import RedisError

from infra.local.redis.server import RedisServer
from tests.factories.redis_servers import cluster
from tests.factories.redis_urls import cluster_url
from tests.faults.striking import frozen
from tests.faults.waiting import pause, until
from webhook.shards import key_of

# Seconds of silence after which a replica takes over.
NODE_TIMEOUT = 2.0
_SECONDS = 90.0


@dataclass(slots=True, kw_only=True)
class Clustered:
    """A running cluster, reached through `url`."""

    nodes: list[RedisServer]
    broker: RedisServer
    _turns: Iterator[int] = field(default_factory=itertools.count)
    _struck: list[range] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The URL for REDIS_URL."""
        return cluster_url(self.nodes)

    @property
    def settings(self) -> Mapping[str, str]:
        """The settings that lead to it, and to a broker of its own."""
        return {"REDIS_URL": self.url, "FALHOOK_BROKER_URL": self.broker.url}

    def affects(self, job_id: str) -> bool:
        """Return whether the last strike was at the node that had this job."""
        slot = key_slot(key_of(job_id, "").encode())
        return any(slot in slots for slots in self._struck)

    def await_whole(self) -> None:
        """Return once all slots have a primary with a connected replica."""
        until(self._is_whole, "each primary has a replica", _SECONDS)

    def _is_whole(self) -> bool:
        try:
            roles = [_role(node) for node in self.nodes]
            views = [_primaries(node) for node in self.nodes]
        except RedisError:
            return False
        followed = [role for role in roles if role[0] == b"master" and len(role[2]) == 1]
        agreed = all(view == views[0] for view in views)
        return agreed and (len(views[0]), len(followed)) == (3, 3)

    def kill_primary(self) -> None:
        """SIGKILL a primary; return once its replica took over, with the killed one back."""
        old = self._choose()
        old.kill()
        self._await_successor(old)
        old.restart()

    def freeze_primary(self, seconds: float) -> None:
        """SIGSTOP a primary for these seconds, in which its replica takes over."""
        old = self._choose()
        with frozen(old):
            pause(seconds)
            self._await_successor(old)

    def _choose(self) -> RedisServer:
        primaries = _primaries(self.nodes[0])
        port = sorted(primaries)[next(self._turns) % len(primaries)]
        self._struck[:] = primaries[port]
        (node,) = [each for each in self.nodes if each.port == port]
        return node

    def _await_successor(self, old: RedisServer) -> None:
        others = [node for node in self.nodes if node is not old]
        until(
            lambda: all(old.port not in _primaries(node) for node in others),
            "its replica took over",
            _SECONDS,
        )


def _primaries(node: RedisServer) -> dict[int, list[range]]:
    """Return the ports of the primaries that this node knows, with their slots."""
    found: dict[int, list[range]] = {}
    with Redis.from_url(node.url, socket_timeout=2) as client:
        answer: Any = client.cluster("slots")
        for first, last, (_, port, *_), *_ in answer:
            found.setdefault(port, []).append(range(first, last + 1))
    return found


def _role(node: RedisServer) -> list[Any]:
    with Redis.from_url(node.url, socket_timeout=2) as client:
        answer: list[Any] = client.role()
        return answer


@contextmanager
def clustered(directory: Path, *, down_after: float = NODE_TIMEOUT) -> Iterator[Clustered]:
    """Run the cluster until the block ends."""
    with (
        RedisServer.start(directory / "broker") as broker,
        cluster(directory, node_timeout=down_after, replicas=True) as nodes,
    ):
        deployment = Clustered(nodes=nodes, broker=broker)
        deployment.await_whole()
        yield deployment
