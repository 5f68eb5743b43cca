"""What a single setting must look like; each raises ValueError with what would be right."""

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
    """A URL that redis-py connects to: its port and database are numbers."""
    if urlsplit(value).scheme not in REDIS_SCHEMES:
        raise ValueError("must begin with redis://, rediss:// or unix://")
    _redis_parts(value)
    return value


def broker_url(value: str) -> str:
    """A URL that Celery connects to, Redis or RabbitMQ."""
    if urlsplit(value).scheme not in BROKER_SCHEMES:
        raise ValueError(
            "must begin with redis://, rediss://, redis+socket://, amqp:// or amqps://"
        )
    if urlsplit(value).scheme in REDIS_SCHEMES:
        _redis_parts(value)
    _require_port(value)
    return value


def _require_port(value: str) -> None:
    try:
        _ = urlsplit(value).port
    except ValueError:
        raise ValueError("has a port that is no number from 1 to 65535") from None


def _redis_parts(value: str) -> None:
    parts = urlsplit(value)
    if parts.scheme == "unix":
        if not parts.path:
            raise ValueError("names no socket: write unix:///path/of/the/socket")
    else:
        _require_port(value)
        # redis-py takes database 0 for a path that is no number, without a word.
        if not re.fullmatch(r"/?[0-9]*", parts.path):
            raise ValueError("has a database that is no number: write …/0")
    try:
        parse_url(value)  # type: ignore[no-untyped-call]  # redis-py has no hints here
    except ValueError as error:
        raise ValueError(f"cannot be used: {error}") from None


def https_url(value: str) -> str:
    """An https URL, or http on loopback."""
    parts = urlsplit(value)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise ValueError("must begin with https:// (http:// is allowed on loopback only)")
    _require_port(value)
    if not parts.hostname:
        raise ValueError("names no host")
    return value


def origin(value: str) -> str:
    """An https origin without path, query or credentials; a slash at its end is taken off."""
    parts = urlsplit(https_url(value))
    if parts.query or parts.fragment or parts.username or parts.path.strip("/"):
        raise ValueError("must be an origin alone, such as https://hooks.example.com")
    return value.rstrip("/")


def networks(value: str) -> str:
    """Addresses or networks, comma-separated."""
    for entry in separated(value):
        try:
            ip_network(entry)
        except ValueError as error:
            raise ValueError(f"holds no address or network: {error}") from None
    return value


def words(value: str) -> str:
    """At least one entry, comma-separated."""
    if not separated(value):
        raise ValueError("holds no entry")
    return value


def strong(value: SecretStr) -> SecretStr:
    """Secrets, comma-separated, each long enough not to be guessed."""
    secrets = separated(value.get_secret_value())
    if not secrets or min(map(len, secrets)) < MINIMUM_SECRET_LENGTH:
        raise ValueError(f"each secret must have at least {MINIMUM_SECRET_LENGTH} characters")
    return value
