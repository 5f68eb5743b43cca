"""What `falhook check` asks over the network: Redis, the broker, the workers, the receiver."""

import httpx
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import AuthenticationError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from webhook.contract import Queue
from webhook.settings import shown
from worker.broker.client import client
from worker.broker.heartbeats import queues_served
from worker.cli.errors import CliError
from worker.jobs.store import connect
from worker.settings import Settings

TIMEOUT = 10
# At this machine, in seconds.
NEAR = 3
_WITHOUT = "jobs wait until one is started, see the Procfile"


class CheckWarning(Exception):
    """All of it works, and yet somebody should look: one sentence."""


def redis(settings: Settings) -> str:
    """That Redis answers and outlives a restart with all that it took."""
    at = f"REDIS_URL={shown(settings.redis_url)}"
    try:
        return _persistence(connect(settings.redis_url))
    except AuthenticationError as error:
        raise CliError(f"{at} has not the password that Redis wants: {error}") from error
    except (RedisConnectionError, RedisTimeoutError) as error:
        cure = "start Redis, or correct REDIS_URL"
        raise CliError(f"{at} cannot be reached: {error}; {cure}") from error
    except RedisError as error:
        raise CliError(f"{at}: Redis refuses: {error}") from error


def _persistence(found: Redis) -> str:
    if not found.info("persistence").get("aof_enabled"):
        raise CliError(
            "appendonly is off at REDIS_URL: a restart of Redis would lose paid callbacks; "
            "start it with the settings of infra/redis.conf"
        )
    return f"appendonly yes, appendfsync {_fsync(found)}"


def _fsync(found: Redis) -> str:
    try:
        return str(found.config_get("appendfsync")["appendfsync"])
    except ResponseError:
        return "unknown: this Redis does not tell (it should be always)"


def broker(settings: Settings) -> str:
    """That Celery's messages can be sent."""
    with client(settings).connection_for_write() as connection:
        try:
            connection.ensure_connection(max_retries=1, timeout=TIMEOUT)
        except (OperationalError, OSError) as error:
            name = "FALHOOK_BROKER_URL (REDIS_URL where it is not set)"
            raise CliError(
                f"{name}={shown(settings.broker_url)} cannot be reached: {error}; "
                "start the broker, or correct the setting"
            ) from error
        return str(connection.as_uri())


def workers(settings: Settings) -> str:
    """That each queue has a worker that takes from it."""
    queues = frozenset(map(str, Queue))
    try:
        found = queues_served(client(settings), queues)
    except Exception as error:  # kombu raises each transport's own errors
        told = type(error).__name__
        raise CheckWarning(
            f"the workers could not be listened for at the broker ({told})"
        ) from error
    if missing := sorted(queues - found):
        raise CheckWarning(f"no worker takes from the queue {', '.join(missing)}: {_WITHOUT}")
    return f"take from {', '.join(sorted(queues))}"


def receiver(settings: Settings) -> str:
    """That fal's callbacks arrive at a receiver, and where it is near that it can keep them."""
    near = _readiness(settings)
    url = f"{settings.public_url}/healthz"
    try:
        answer = httpx.get(url, timeout=TIMEOUT)
    except httpx.HTTPError as error:
        raise CliError(
            f"FALHOOK_PUBLIC_URL={settings.public_url} cannot be reached from here "
            f"({type(error).__name__}: {error}); start the receiver (web), or see what leads to it"
            f"{near and f'. {near}'}"
        ) from error
    if _json(answer) != {"status": "ok"}:
        raise CliError(
            f"{url} answered {answer.status_code}, and not as ours does: "
            "is FALHOOK_PUBLIC_URL the receiver?"
        )
    return f"{settings.public_url} leads to the receiver{near and f'. {near}'}"


def _readiness(settings: Settings) -> str:
    """What the receiver says of itself at this machine, "" where none answers.

    Asked here, since /readyz should not be public. Raises Problem where it is not ready.
    """
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    url = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}/readyz"
    try:
        answer = httpx.get(url, timeout=NEAR)
    except (httpx.HTTPError, httpx.InvalidURL):
        return ""
    match _json(answer):
        case {"redis": str(redis), "broker": str(broker), "keys": str(keys)}:
            told = f"redis {redis}, broker {broker}, keys {keys}"
        case _:  # somebody else's port
            return ""
    if answer.is_success:
        return f"At {url} it is ready: {told}"
    cure = "see the rows above"
    if keys != "ok":
        cure = f"it must reach FALHOOK_JWKS_URL={settings.jwks_url} for fal's keys"
    raise CliError(f"the receiver at {url} is not ready: {told}; {cure}")


def _json(answer: httpx.Response) -> object:
    try:
        found: object = answer.json()
    except ValueError:
        return None
    return found
