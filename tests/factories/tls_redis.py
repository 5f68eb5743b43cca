"""Sentinels and a cluster of Debian's redis-server with TLS; the embedded Valkey is built without.

Each server has a plain port too, for the factory alone.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import trustme
from redis import Redis

from infra.local.redis.server import RedisServer
from tests.faults.waiting import until

PROGRAM = Path("/usr/bin/redis-server")
MISSING = f"{PROGRAM} is not installed: Debian's redis-server has TLS"
PASSWORD = "shared"
PRIMARY_NAME = "primary"
_SECONDS = 30.0
_SLOTS = 16_384
# A cluster node's second port is 10,000 higher.
_PORTS = range(20_000, 22_768)


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsServer:
    """A running server, and the port on which it speaks TLS."""

    server: RedisServer
    port: int

    def plain(self) -> Redis:
        """Return a client of the plain port."""
        return Redis.from_url(self.server.url)


class TlsServers:
    """A starter of servers with certificates of one authority, which only `ca_file` names."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.ca_file = directory / "ca.pem"
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.ca_file))
        bundle = directory / "server.pem"
        issued = authority.issue_cert("localhost", "127.0.0.1")
        issued.private_key_and_cert_chain_pem.write_to_path(str(bundle))
        self._lines = (
            f"tls-cert-file {bundle}",
            f"tls-key-file {bundle}",
            f"tls-ca-cert-file {self.ca_file}",
            "tls-auth-clients no",
            "tls-replication yes",
            f"masterauth {PASSWORD}",
            "repl-diskless-sync-delay 0",
            "repl-ping-replica-period 1",
        )

    def start(self, name: str, *lines: str, sentinel: bool = False) -> TlsServer:
        """Start a server; `lines` are of its configuration."""
        port, *plain = random.sample(_PORTS, 20)
        common = [line for line in self._lines if line.startswith("tls") or not sentinel]
        server = RedisServer.start(
            self._directory / name,
            binary=PROGRAM,
            ports=plain,
            password=PASSWORD,
            configuration=[*common, f"tls-port {port}", *lines],
            arguments=["--sentinel"] if sentinel else [],
        )
        return TlsServer(server=server, port=port)

    def url(self, kind: str, servers: Sequence[TlsServer]) -> str:
        """Return the URL of the "sentinel" or "cluster" deployment of the servers."""
        places = ",".join(f"127.0.0.1:{each.port}" for each in servers)
        end = f"/{PRIMARY_NAME}/0?sentinel_password={PASSWORD}&" if kind == "sentinel" else "?"
        return f"rediss+{kind}://:{PASSWORD}@{places}{end}ssl_ca_certs={self.ca_file}"


@contextmanager
def deployment(kind: str, directory: Path) -> Iterator[tuple[str, TlsServer]]:
    """Run a "sentinel" or "cluster" deployment; yield its URL and the (first) primary."""
    servers = TlsServers(directory)
    with ExitStack() as running:

        def start(name: str, *lines: str, sentinel: bool = False) -> TlsServer:
            started = servers.start(name, *lines, sentinel=sentinel)
            running.enter_context(started.server)
            return started

        known, primary = (_sentinels if kind == "sentinel" else _cluster)(start)
        yield servers.url(kind, known), primary


def _sentinels(start: Callable[..., TlsServer]) -> tuple[list[TlsServer], TlsServer]:
    primary = start("first")
    replica = start("second", f"replicaof 127.0.0.1 {primary.port}")
    with replica.plain() as client:
        until(
            lambda: client.info("replication")["master_link_status"] == "up",
            "the replica follows over TLS",
            _SECONDS,
        )
    lines = (
        f"sentinel monitor {PRIMARY_NAME} 127.0.0.1 {primary.port} 2",
        f"sentinel auth-pass {PRIMARY_NAME} {PASSWORD}",
        f"sentinel down-after-milliseconds {PRIMARY_NAME} 1000",
        f"sentinel failover-timeout {PRIMARY_NAME} 3000",
        f"sentinel sentinel-pass {PASSWORD}",
    )
    three = [start(f"sentinel{number}", *lines, sentinel=True) for number in range(3)]
    for each in three:
        with each.plain() as client:
            until(partial(_knows_all, client), "the sentinels meet", _SECONDS)
    return three, primary


def _knows_all(sentinel: Redis) -> bool:
    seen = cast(dict[str, object], sentinel.sentinel_master(PRIMARY_NAME))
    return (seen["num-other-sentinels"], seen["num-slaves"]) == (2, 1)


def _cluster(start: Callable[..., TlsServer]) -> tuple[list[TlsServer], TlsServer]:
    nodes = [
        start(f"node{number}", "cluster-enabled yes", "tls-cluster yes") for number in range(3)
    ]
    with ExitStack() as open_clients:
        clients = [open_clients.enter_context(node.plain()) for node in nodes]
        for number, client in enumerate(clients):
            first, after = (_SLOTS * each // 3 for each in (number, number + 1))
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
            client.execute_command("CLUSTER ADDSLOTSRANGE", first, after - 1)
        for node in nodes[1:]:
            clients[0].execute_command("CLUSTER MEET", "127.0.0.1", node.port)
        for client in clients:
            until(partial(_is_complete, client), "the nodes meet", _SECONDS)
    return nodes, nodes[0]


def _is_complete(client: Redis) -> bool:
    info: dict[str, str] = client.execute_command("CLUSTER INFO")  # type: ignore[no-untyped-call]
    return (info["cluster_state"], info["cluster_known_nodes"]) == ("ok", "3")
