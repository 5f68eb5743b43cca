"""Three servers and three sentinels whose primary can be killed or frozen."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from redis import Redis
from redis.exceptions import RedisError

from infra.local.redis.server import RedisServer
from tests import ROOT
from tests.factories.redis_servers import PASSWORD, PRIMARY_NAME, sentinels
from tests.factories.redis_urls import sentinel_url
from tests.faults.striking import frozen
from tests.faults.waiting import pause, until

# The replicas besides the primary: with one down there is still one to confirm.
REPLICAS = 2
# Seconds of silence after which the sentinels elect; a busy machine pauses for less.
DOWN_AFTER = 2.0
_SECONDS = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicated:
    """Running servers behind sentinels, reached through `url`."""

    servers: list[RedisServer]
    sentinels: list[RedisServer]

    @property
    def url(self) -> str:
        """The URL for REDIS_URL."""
        return sentinel_url(self.sentinels)

    @property
    def settings(self) -> Mapping[str, str]:
        """The settings that lead to them."""
        return {"REDIS_URL": self.url}

    def affects(self, job_id: str) -> bool:  # as in a cluster
        """Return True: all records are on one server."""
        return True

    def primary(self) -> RedisServer:
        """Return the server that most sentinels name."""
        named: list[int] = []
        for sentinel in self.sentinels:
            with Redis.from_url(sentinel.url) as client:
                found = client.sentinel_get_master_addr_by_name(PRIMARY_NAME)
                named.append(cast(tuple[str, int], found)[1])
        port = max(named, key=named.count)
        (server,) = [each for each in self.servers if each.port == port]
        return server

    def replicas_of(self, server: RedisServer) -> int:
        """Return how many replicas follow the server; 0 if it does not answer."""
        with Redis.from_url(server.url, socket_timeout=2) as client:
            try:
                role = client.role()
            except RedisError:
                return 0
        return len(role[2]) if role[0] == b"master" else 0

    def await_whole(self) -> None:
        """Return once both others follow the primary."""
        until(self._is_whole, "both replicas follow the primary", _SECONDS)

    def _is_whole(self) -> bool:
        return self.replicas_of(self.primary()) == REPLICAS

    def kill_primary(self) -> None:
        """SIGKILL the primary; return once another is named, with the killed one started again."""
        old = self.primary()
        old.kill()
        until(lambda: self.primary() is not old, "another primary is named", _SECONDS)
        # It returns as a primary, as after a crash, until a sentinel makes it a replica.
        old.restart()

    def freeze_primary(self, seconds: float) -> None:
        """SIGSTOP the primary for these seconds, in which another is elected; then it resumes."""
        old = self.primary()
        with frozen(old):
            pause(seconds)
            until(lambda: self.primary() is not old, "another primary is named", _SECONDS)


def _configuration() -> list[str]:
    shipped = (ROOT / "infra" / "redis-replicated.conf").read_text().splitlines()
    settings = [line for line in shipped if line and not line.startswith("#")]
    eager = ("repl-diskless-sync-delay 0", "repl-ping-replica-period 1")
    return [*settings, *eager, f"masterauth {PASSWORD}"]


@contextmanager
def replicated(directory: Path, *, down_after: float = DOWN_AFTER) -> Iterator[Replicated]:
    """Run the servers with the shipped configuration until the block ends."""
    with ExitStack() as running:
        servers: list[RedisServer] = []
        for number in range(1 + REPLICAS):
            follows = [f"replicaof 127.0.0.1 {servers[0].port}"] if servers else []
            server = RedisServer.start(
                directory / f"server{number}",
                password=PASSWORD,
                configuration=[*_configuration(), *follows],
            )
            servers.append(running.enter_context(server))
        with sentinels(directory, servers[0], down_after=down_after) as three:
            deployment = Replicated(servers=servers, sentinels=three)
            deployment.await_whole()
            yield deployment
