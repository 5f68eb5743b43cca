"""The URLs of deployments of several servers, as settings name them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from infra.local.redis.server import RedisServer
from tests.factories.redis_servers import (
    PASSWORD,
    PRIMARY_NAME,
    cluster,
    primary,
    replica,
    sentinels,
)


def sentinel_url(servers: Sequence[RedisServer]) -> str:
    """Return the URL of the primary that these sentinels watch."""
    login = f"sentinel_password={PASSWORD}"
    return f"redis+sentinel://:{PASSWORD}@{_places(servers)}/{PRIMARY_NAME}/0?{login}"


def cluster_url(nodes: Sequence[RedisServer]) -> str:
    """Return the URL of the cluster."""
    return f"redis+cluster://:{PASSWORD}@{_places(nodes)}"


def _places(servers: Sequence[RedisServer]) -> str:
    return ",".join(f"127.0.0.1:{server.port}" for server in servers)


@contextmanager
def deployment(kind: str, directory: Path) -> Iterator[str]:
    """Run a "server", a "cluster" or servers behind "sentinels"; yield its URL."""
    match kind:
        case "server":
            with RedisServer.start(directory / "server") as server:
                yield server.url
        case "cluster":
            with cluster(directory) as nodes:
                yield cluster_url(nodes)
        case _:
            with (
                primary(directory / "first") as first,
                replica(directory / "second", of=first),
                sentinels(directory, first) as three,
            ):
                yield sentinel_url(three)
