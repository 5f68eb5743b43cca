"""The probe of `falhook check` for Redis: that it takes writes, and that it keeps them."""

from collections.abc import Mapping, Sequence

from redis import Redis, RedisCluster
from redis.cluster import ClusterNode
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.sentinel import SentinelConnectionPool

from webhook.redis.clients import as_cluster
from webhook.redis.errors import refusal
from webhook.redis.probe import probe
from webhook.settings.errors import shown
from worker.cli.check.warning import CheckWarning
from worker.cli.errors import CliError
from worker.cli.redis_cures import CURE, CURES
from worker.jobs.store import connect
from worker.settings.settings import Settings

# infra/redis.conf explains each: the value that it needs, and what another one costs.
_NEEDED: Mapping[str, tuple[str, str]] = {
    "appendfsync": ("always", "a crash of its machine loses callbacks that fal never repeats"),
    "maxmemory-policy": ("noeviction", "a full Redis deletes jobs and callbacks"),
    "no-appendfsync-on-rewrite": ("no", "a crash during a rewrite loses callbacks"),
}


def redis(settings: Settings) -> str:
    """Check that Redis takes writes and keeps them across a restart."""
    setting = f"REDIS_URL={shown(settings.redis_url)}"
    connection = connect(settings.redis_url)
    try:
        probe(connection)
        return _durability(connection)
    except AuthenticationError as error:
        raise CliError(f"{setting} has a wrong username or password: {error}") from error
    except RedisError as error:
        if (code := refusal(error)) is not None:
            cure = CURES.get(code, CURE)
            raise CliError(f"{setting} takes no writes ({code}): {error}; {cure}") from error
        if isinstance(error, RedisConnectionError | RedisTimeoutError):
            cure = "start Redis, or correct REDIS_URL"
            raise CliError(f"{setting} cannot be reached: {error}; {cure}") from error
        raise CliError(f"{setting}: Redis refused the command: {error}") from error


def _durability(connection: Redis) -> str:
    servers = _servers(connection)
    warnings = [f"{name}{each}" for name, server in servers for each in _unsafe(server)]
    replicas, unreplicated = _replication(connection, dict(servers))
    if warnings := [*warnings, *unreplicated]:
        raise CheckWarning(f"REDIS_URL: {'. '.join(warnings)}")
    appendfsync = _value(servers[0][1], "appendfsync")
    return f"appendonly yes, appendfsync {appendfsync}{replicas}"


def _servers(connection: Redis) -> Sequence[tuple[str, Redis]]:
    """Return the server, or the primaries of a cluster, with the beginning of a sentence."""
    cluster = as_cluster(connection)
    if cluster is None:
        return [("", connection)]
    return [(f"{node.name}: ", cluster.get_redis_connection(node)) for node in _primaries(cluster)]


def _primaries(cluster: RedisCluster) -> Sequence[ClusterNode]:
    found: Sequence[ClusterNode] = cluster.get_primaries()  # type: ignore[no-untyped-call]
    return sorted(found, key=lambda node: str(node.name))


def _unsafe(server: Redis) -> Sequence[str]:
    """Return what is unsafe or unknown. Raises CliError if a restart loses everything."""
    appends = _appends(server)
    if appends is False:
        raise CliError(
            "REDIS_URL: appendonly is off, so a restart of Redis would lose paid callbacks; "
            "start Redis with the settings of infra/redis.conf"
        )
    values = {name: _value(server, name) for name in _NEEDED}
    if appends is None:
        values["appendonly"] = None
    warnings = [
        f"{name} is {value}, not {needed}: {cost}"
        for name, (needed, cost) in _NEEDED.items()
        if (value := values[name]) not in {None, needed}
    ]
    if unknown := sorted(name for name, value in values.items() if value is None):
        warnings.append(
            f"{', '.join(unknown)} cannot be read: this Redis does not report it; compare with "
            "infra/redis.conf"
        )
    return warnings


def _replication(connection: Redis, servers: Mapping[str, Redis]) -> tuple[str, Sequence[str]]:
    """Return the number of replicas in words, and what is unsafe about them."""
    try:
        counts = {name: len(server.role()[2]) for name, server in servers.items()}
    except NoPermissionError:
        words = "its user may not call ROLE: jobs are posted without waiting for replicas; allow it"
        return "", [words]
    elected = isinstance(getattr(connection, "connection_pool", None), SentinelConnectionPool)
    warnings = [
        f"{name}no replica is connected: start one, since {cost}"
        for name, count in counts.items()
        if not count and (cost := _cost_without_replica(elected, len(servers)))
    ]
    if elected and _value(connection, "min-replicas-to-write") == "0":
        warnings.append(
            "min-replicas-to-write is 0, not 1: a primary that is cut off takes writes which are "
            "lost later; see infra/redis-replicated.conf"
        )
    total = sum(counts.values())
    return (f", {total} replica{'s' * (total != 1)} connected" if total else ""), warnings


def _cost_without_replica(elected: bool, servers: int) -> str:
    if elected:
        return "no job is posted and no callback accepted without"
    return "its slots are away if it fails" if servers > 1 else ""


def _appends(connection: Redis) -> bool | None:
    """Return whether Redis writes an append-only file; None if it does not say."""
    try:
        enabled = connection.info("persistence").get("aof_enabled")
    except ResponseError:
        enabled = None
    if enabled is None:
        value = _value(connection, "appendonly")
        return None if value is None else value == "yes"
    return bool(enabled)


def _value(connection: Redis, name: str) -> str | None:
    """Return a value of Redis's configuration; None if it does not say, as managed ones."""
    try:
        found = connection.config_get(name)
    except ResponseError:
        return _policy(connection) if name == "maxmemory-policy" else None
    value = found.get(name)
    return None if value is None else str(value)


def _policy(connection: Redis) -> str | None:
    # Managed services that refuse CONFIG often have it in INFO.
    try:
        value = connection.info("memory").get("maxmemory_policy")
    except ResponseError:
        return None
    return None if value is None else str(value)
