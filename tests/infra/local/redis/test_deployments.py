"""Replicas, sentinels and clusters of the embedded server, for the tests of such deployments."""

import time
from pathlib import Path
from typing import cast

import redis
from redis.sentinel import MasterNotFoundError, Sentinel

from infra.local.redis.server import RedisServer
from tests.factories.processes import await_end, owner, read_line
from tests.factories.redis_servers import (
    PASSWORD,
    PRIMARY_NAME,
    cluster,
    cluster_client,
    primary,
    replica,
    sentinels,
)
from tests.faults.waiting import until

OWNER = """
import pathlib, sys
from tests.factories.redis_servers import cluster
with cluster(pathlib.Path(sys.argv[1])) as nodes:
    print(*(node.pid for node in nodes), flush=True)
    sys.stdin.read()
"""


def clients(*servers: RedisServer) -> list[redis.Redis]:
    """A client of each server."""
    return [redis.Redis.from_url(server.url) for server in servers]


def test_a_replica_has_the_data(tmp_path: Path) -> None:
    """What is written to the primary can be read from the replica, which takes no writes."""
    with primary(tmp_path / "first") as first:
        (writer,) = clients(first)
        with writer, replica(tmp_path / "second", of=first) as second:
            writer.set("paid", "once")
            assert 1 == writer.wait(1, 5_000)
            (reader,) = clients(second)
            with reader:
                assert (b"once", "slave") == (reader.get("paid"), reader.role()[0].decode())


def elected(found: Sentinel) -> int | None:
    """The port of the primary that the sentinels name, or None if they see none."""
    try:
        return int(found.discover_master(PRIMARY_NAME)[1])  # type: ignore[no-untyped-call]
    except MasterNotFoundError:
        return None


def test_three_sentinels_elect_the_replica(tmp_path: Path) -> None:
    """After SIGKILL of the primary, the sentinels name the former replica, which takes writes."""
    with (
        primary(tmp_path / "first") as first,
        replica(tmp_path / "second", of=first) as second,
        sentinels(tmp_path, first) as three,
    ):
        addresses = [("127.0.0.1", each.port) for each in three]
        found = Sentinel(  # type: ignore[no-untyped-call]
            addresses, sentinel_kwargs={"password": PASSWORD}
        )
        assert first.port == elected(found)
        first.kill()
        until(lambda: elected(found) == second.port, "the replica is elected", 15)
        (client,) = clients(second)
        with client:
            until(lambda: client.role()[0] == b"master", "the replica took over", 15)
            assert client.set("paid", "once")
        for sentinel in found.sentinels:
            sentinel.close()


def test_a_cluster_forms_within_seconds(tmp_path: Path) -> None:
    """Three nodes share all slots, and a client finds the node of each key."""
    began = time.monotonic()
    with cluster(tmp_path) as nodes:
        assert time.monotonic() - began < 15
        with cluster_client(nodes) as client:
            names = {f"job{number}": str(number) for number in range(30)}
            for name, value in names.items():
                client.set(name, value)
            assert names == {name: cast(bytes, client.get(name)).decode() for name in names}
        held = clients(*nodes)
        sizes = [int(str(each.dbsize())) for each in held]
        assert (len(names), True) == (sum(sizes), all(sizes))
        for each in held:
            each.close()


def test_a_killed_node_returns_with_its_slots(tmp_path: Path) -> None:
    """After SIGKILL and restart, the node serves its keys in the cluster again."""
    with cluster(tmp_path, node_timeout=0.5) as nodes, cluster_client(nodes) as client:
        client.set("paid", "once")
        port = client.get_node_from_key("paid").port
        (node,) = [each for each in nodes if each.port == port]
        node.kill()
        node.restart()
        until(lambda: _reads(client) == b"once", "the key is served", 15)


def _reads(client: redis.RedisCluster) -> object:
    try:
        return client.get("paid")
    except redis.RedisError:
        return None


def test_a_killed_owner_leaves_no_node(tmp_path: Path) -> None:
    """SIGKILL of the owner ends every node of its cluster."""
    with owner(OWNER, str(tmp_path)) as process:
        pids = [int(pid) for pid in read_line(process).split()]
        assert 3 == len(pids)
        process.kill()
        for pid in pids:
            await_end(pid)
