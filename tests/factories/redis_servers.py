"""Several servers as one deployment: a replica, sentinels that elect it, a cluster.

Every server is a `RedisServer`: on loopback, with its own directory, ending with its owner.
"""

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import cast

from redis import Redis, RedisCluster

from infra.local.redis.server import RedisServer
from tests.faults.waiting import until

PASSWORD = "shared"  # members of a deployment log in to each other
PRIMARY_NAME = "primary"
SLOTS = 16_384
_SECONDS = 20.0
_NODES = 3
# A node's second port is 10,000 higher; both are below those of outgoing connections.
_NODE_PORTS = range(20_000, 22_768)
_PORTS_TRIED = 20
# The copy for a replica is sent immediately, and its age is known to the second.
_EAGER = ("repl-diskless-sync-delay 0", "repl-ping-replica-period 1")


def primary(directory: Path) -> RedisServer:
    """Start a server that replicas can follow and that can follow another after an election."""
    return RedisServer.start(
        directory, password=PASSWORD, configuration=[f"masterauth {PASSWORD}", *_EAGER]
    )


def replica(directory: Path, of: RedisServer) -> RedisServer:
    """Start a replica of a `primary`; return once it has the data."""
    server = RedisServer.start(
        directory,
        password=PASSWORD,
        configuration=[f"masterauth {PASSWORD}", f"replicaof 127.0.0.1 {of.port}", *_EAGER],
    )
    with Redis.from_url(server.url) as client:
        until(
            lambda: client.info("replication").get("master_link_status") == "up",
            f"{directory.name} follows {of.port}",
            _SECONDS,
        )
    return server


@contextmanager
def sentinels(
    directory: Path, of: RedisServer, *, quorum: int = 2, count: int = 3, down_after: float = 0.5
) -> Iterator[list[RedisServer]]:
    """Run sentinels that watch a `primary` as PRIMARY_NAME; begin once they know each other.

    `quorum` of them must find it silent for `down_after` seconds; then a majority elects a replica.
    """
    lines = (
        f"sentinel monitor {PRIMARY_NAME} 127.0.0.1 {of.port} {quorum}",
        f"sentinel auth-pass {PRIMARY_NAME} {PASSWORD}",
        f"sentinel down-after-milliseconds {PRIMARY_NAME} {down_after * 1000:.0f}",
        f"sentinel failover-timeout {PRIMARY_NAME} 3000",  # as in infra/sentinel.conf
        f"sentinel sentinel-pass {PASSWORD}",
    )
    with ExitStack() as running:
        servers = [
            running.enter_context(
                RedisServer.start(
                    directory / f"sentinel{number}",
                    password=PASSWORD,
                    configuration=lines,
                    arguments=["--sentinel"],
                )
            )
            for number in range(count)
        ]
        for server in servers:
            _await_others(server, count - 1)
        yield servers


def _await_others(sentinel: RedisServer, others: int) -> None:
    with Redis.from_url(sentinel.url) as client:

        def complete() -> bool:
            seen = cast(dict[str, object], client.sentinel_master(PRIMARY_NAME))
            return seen["num-other-sentinels"] == others and seen["num-slaves"] != 0

        until(complete, f"the sentinel on {sentinel.port} knows the others", _SECONDS)


@contextmanager
def cluster(
    directory: Path, *, node_timeout: float = 1.0, replicas: bool = False
) -> Iterator[list[RedisServer]]:
    """Run a cluster of three primaries; begin once each of them reports it as complete.

    With `replicas` the last three of its six nodes each follow one of the first three.
    """
    lines = (
        "cluster-enabled yes",
        f"cluster-node-timeout {node_timeout * 1000:.0f}",
        f"masterauth {PASSWORD}",
        *_EAGER,
    )
    with ExitStack() as running:
        nodes = [
            running.enter_context(
                RedisServer.start(
                    directory / f"node{number}",
                    ports=random.sample(_NODE_PORTS, _PORTS_TRIED),
                    password=PASSWORD,
                    configuration=lines,
                )
            )
            for number in range(_NODES * (2 if replicas else 1))
        ]
        _join(nodes)
        yield nodes


def cluster_client(nodes: list[RedisServer]) -> RedisCluster:
    """Return a client of the cluster; close it at the end."""
    return RedisCluster(host="127.0.0.1", port=nodes[0].port, password=PASSWORD)


def _join(nodes: list[RedisServer]) -> None:
    """Share the slots among the first nodes, introduce all, and let the others follow the first."""
    with ExitStack() as open_clients:
        clients = [open_clients.enter_context(Redis.from_url(node.url)) for node in nodes]
        for number, client in enumerate(clients):
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
        for number, client in enumerate(clients[:_NODES]):
            first, after = (SLOTS * each // _NODES for each in (number, number + 1))
            client.execute_command("CLUSTER ADDSLOTSRANGE", first, after - 1)
        for node in nodes[1:]:
            clients[0].execute_command("CLUSTER MEET", "127.0.0.1", node.port)
        for client, node in zip(clients, nodes, strict=True):
            until(partial(_is_complete, client, len(nodes)), f"{node.port} joined", _SECONDS)
        for client, followed in zip(clients[_NODES:], clients, strict=False):
            name: bytes = followed.execute_command("CLUSTER MYID")
            client.execute_command("CLUSTER REPLICATE", name)


def _is_complete(client: Redis, nodes: int) -> bool:
    info: dict[str, str] = client.execute_command("CLUSTER INFO")  # type: ignore[no-untyped-call]
    return (info["cluster_state"], info["cluster_known_nodes"]) == ("ok", str(nodes))
