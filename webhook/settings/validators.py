"""Validators of single settings; each raises ValueError with the end of a sentence."""

import re
from ipaddress import ip_network
from urllib.parse import urlsplit

from pydantic import SecretStr
from redis.connection import parse_url

from webhook.settings.environment import separated

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
REDIS_SCHEMES = frozenset({"redis", "rediss", "unix"})
BROKER_SCHEMES = frozenset({"redis", "rediss", "redis+socket", "amqp", "amqps"})
MINIMUM_SECRET_LENGTH = 16


def redis_url(value: str) -> str:
    """Return `value` if redis-py can use it: its port and database are numbers."""
    if urlsplit(value).scheme not in REDIS_SCHEMES:
        raise ValueError("must start with redis://, rediss:// or unix://")
    _require_redis_parts(value)
    return value


def broker_url(value: str) -> str:
    """Return `value` if Celery can use it: a URL of Redis or RabbitMQ."""
    if urlsplit(value).scheme not in BROKER_SCHEMES:
        raise ValueError(
            "must start with redis://, rediss://, redis+socket://, amqp:// or amqps://"
        )
    if urlsplit(value).scheme in REDIS_SCHEMES:
        _require_redis_parts(value)
    _require_port(value)
    return value


def _require_port(value: str) -> None:
    try:
        _ = urlsplit(value).port
    except ValueError:
        raise ValueError("must have a port from 1 to 65535") from None


def _require_redis_parts(value: str) -> None:
    parts = urlsplit(value)
    if parts.scheme == "unix":
        if not parts.path:
            raise ValueError("has no socket path: write unix:///path/to/socket")
    else:
        _require_port(value)
        # redis-py silently uses database 0 for a path that is not a number.
        if not re.fullmatch(r"/?[0-9]*", parts.path):
            raise ValueError("must have a number as its database, such as …/0")
    try:
        parse_url(value)  # type: ignore[no-untyped-call]  # redis-py has no hints here
    except ValueError as error:
        raise ValueError(f"is not a valid Redis URL: {error}") from None


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
    """Return an https origin without path, query and credentials; drop a slash at its end."""
    parts = urlsplit(https_url(value))
    if parts.query or parts.fragment or parts.username or parts.path.strip("/"):
        raise ValueError("must be only an origin, such as https://hooks.example.com")
    return value.rstrip("/")


def networks(value: str) -> str:
    """Return `value` if it is comma-separated addresses or networks."""
    for entry in separated(value):
        try:
            ip_network(entry)
        except ValueError as error:
            raise ValueError(f"must be IP addresses or networks: {error}") from None
    return value


def words(value: str) -> str:
    """Return `value` if it has at least one comma-separated entry."""
    if not separated(value):
        raise ValueError("must have at least one entry")
    return value


def strong(value: SecretStr) -> SecretStr:
    """Return `value` if each of its comma-separated secrets is too long to guess."""
    secrets = separated(value.get_secret_value())
    if not secrets or min(map(len, secrets)) < MINIMUM_SECRET_LENGTH:
        raise ValueError(f"must have at least {MINIMUM_SECRET_LENGTH} characters in each secret")
    return value
