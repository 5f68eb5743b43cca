"""The probes of `falhook check` over the network: Redis, the broker, the workers, the receiver."""

import httpx
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from webhook.redis.errors import refusal
from webhook.redis.probe import probe_broker
from webhook.settings.errors import shown
from worker.broker.client import client
from worker.cli.errors import CliError
from worker.cli.redis_cures import CURE, CURES
from worker.settings.settings import Settings

# Seconds, over the network and on this machine.
TIMEOUT = 10
LOCAL_TIMEOUT = 3


def broker(settings: Settings) -> str:
    """Check that Celery's messages can be sent."""
    with client(settings).connection_for_write() as connection:
        try:
            connection.ensure_connection(max_retries=1, timeout=TIMEOUT)
            probe_broker(connection)
        except (OperationalError, RedisError, OSError) as error:
            if code := refusal(error.__cause__ or error) or refusal(error):
                raise CliError(
                    f"FALHOOK_BROKER_URL={shown(settings.broker_url)} takes no messages ({code}): "
                    f"{error}; {CURES.get(code, CURE)}"
                ) from error
            raise CliError(
                f"FALHOOK_BROKER_URL={shown(settings.broker_url)} cannot be reached: {error}; "
                "start the broker, or correct the setting (default: REDIS_URL)"
            ) from error
        return str(connection.as_uri())


def receiver(settings: Settings) -> str:
    """Check that FALHOOK_PUBLIC_URL reaches the receiver, and that a local one is ready."""
    local = _readiness(settings)
    suffix = f". {local}" if local else ""
    url = f"{settings.public_url}/healthz"
    try:
        response = httpx.get(url, timeout=TIMEOUT)
    except httpx.HTTPError as error:
        raise CliError(
            f"FALHOOK_PUBLIC_URL={settings.public_url} cannot be reached from here "
            f"({type(error).__name__}: {error}); start the receiver (web), or check the proxy in "
            f"front of it{suffix}"
        ) from error
    if _json(response) != {"status": "ok"}:
        raise CliError(
            f"FALHOOK_PUBLIC_URL={settings.public_url} does not reach the receiver: {url} "
            f"answered {response.status_code}; correct the URL, or the proxy behind it"
        )
    return f"{settings.public_url} reaches the receiver{suffix}"


def _readiness(settings: Settings) -> str:
    """Return what /readyz of the receiver on this machine reports, "" if none answers.

    It is called locally, since /readyz should not be public. Raises CliError if it is not ready.
    """
    host = {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    url = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}/readyz"
    try:
        response = httpx.get(url, timeout=LOCAL_TIMEOUT)
    except (httpx.HTTPError, httpx.InvalidURL):
        return ""
    match _json(response):
        case {"redis": str(redis), "broker": str(broker), "keys": str(keys)}:
            parts = f"redis {redis}, broker {broker}, keys {keys}"
        case _:  # another program's port
            return ""
    if response.is_success:
        return f"{url} is ready: {parts}"
    cure = "see the rows above"
    if keys != "ok":
        cure = f"it must reach FALHOOK_JWKS_URL={settings.jwks_url} for fal's keys"
    raise CliError(f"the receiver at {url} is not ready: {parts}; {cure}")


def _json(response: httpx.Response) -> object:
    try:
        content: object = response.json()
    except ValueError:
        return None
    return content
