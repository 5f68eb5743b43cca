"""Validators of single settings; each raises ValueError with the end of a sentence."""

import re
from ipaddress import ip_network
from urllib.parse import urlsplit

from pydantic import SecretStr

from webhook.public_host import is_host, is_loopback, is_public
from webhook.rabbitmq import parse_rabbitmq
from webhook.redis.address import RedisAddress, RedisKind, is_redis
from webhook.settings.environment import separated

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
MINIMUM_SECRET_LENGTH = 16
# What webhook/verification/signature.py accepts in fal's header, without what people put around it.
_ACCOUNT_ID = re.compile(r"""(?:(?!["'`<>(){}\[\]\\])[!-~]){1,128}""")


def broker_url(value: str) -> str:
    """Return `value` if it is the URL of a Redis or a RabbitMQ."""
    if is_redis(value):
        if RedisAddress.parse(value).kind is RedisKind.CLUSTER:
            raise ValueError(
                "cannot be a Redis Cluster, which Celery does not support: use RabbitMQ (amqp://) "
                "or one small Redis beside the cluster"
            )
        return value
    parse_rabbitmq(value)
    return value


def _require_port(value: str) -> None:
    try:
        _ = urlsplit(value).port
    except ValueError:
        raise ValueError("must have a port from 1 to 65535") from None


def https_url(value: str) -> str:
    """Return `value` if it is an https URL, or an http URL on loopback."""
    parts = urlsplit(value)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise ValueError("must start with https:// (http:// is allowed on loopback only)")
    _require_port(value)
    if not parts.hostname:
        raise ValueError("must have a host")
    return value


def origin(value: str) -> str:
    """Return an https origin that fal can reach, or one on loopback; drop a slash at its end.

    On loopback only a simulated fal reaches it: worker/startup.py compares.
    """
    parts = urlsplit(https_url(value))
    origin = value.rstrip("/")
    if parts.path.strip("/") or set("?#@%\\") & set(value) or origin.endswith(":"):
        raise ValueError("must be only an origin, such as https://hooks.example.com")
    # pydantic imports what it needs for URLs when asked for it; most commands read no URL.
    from pydantic import AnyHttpUrl, TypeAdapter, ValidationError  # noqa: PLC0415

    try:
        url = TypeAdapter(AnyHttpUrl).validate_python(origin)
    except ValidationError:
        raise ValueError("must have a valid host") from None
    host = url.host or ""
    if not is_host(host) or url.port == 0:
        raise ValueError("must have a valid host, and a port from 1 to 65535 or none")
    if not value.isascii():
        raise ValueError(f"must be written in ASCII: {str(url).rstrip('/')}")
    if not is_public(host) and not is_loopback(host):
        raise ValueError("must have a host that fal can reach on the internet")
    return origin


def networks(value: str) -> str:
    """Return `value` if it is comma-separated addresses or networks."""
    for entry in separated(value):
        try:
            ip_network(entry)
        except ValueError as error:
            raise ValueError(f"must be IP addresses or networks: {error}") from None
    return value


def account_ids(value: str) -> str:
    """Return `value` if it is comma-separated ids as fal may send them in a header."""
    if not separated(value):
        raise ValueError("must have at least one entry")
    for entry in separated(value):
        if ";" in entry:
            raise ValueError(f"has {entry!r}: separate several ids with commas")
        if not _ACCOUNT_ID.fullmatch(entry):
            raise ValueError(
                f"has {entry!r}, which is not an account id: leave out quotes, blanks and brackets"
            )
    return value


def strong(value: SecretStr) -> SecretStr:
    """Return `value` if each of its comma-separated secrets is too long to guess."""
    secrets = separated(value.get_secret_value())
    if not secrets or min(map(len, secrets)) < MINIMUM_SECRET_LENGTH:
        raise ValueError(f"must have at least {MINIMUM_SECRET_LENGTH} characters in each secret")
    return value
