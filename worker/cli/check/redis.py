"""The probe of `falhook check` for Redis: that it takes writes, and that it keeps them."""

from collections.abc import Mapping

from redis import Redis
from redis.exceptions import AuthenticationError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

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
    appends = _appends(connection)
    if appends is False:
        raise CliError(
            "REDIS_URL: appendonly is off, so a restart of Redis would lose paid callbacks; "
            "start Redis with the settings of infra/redis.conf"
        )
    values = {name: _value(connection, name) for name in _NEEDED}
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
    if warnings:
        raise CheckWarning(f"REDIS_URL: {'. '.join(warnings)}")
    return f"appendonly yes, appendfsync {values['appendfsync']}"


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
