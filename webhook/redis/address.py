"""The address of a Redis: a URL that is parsed once, for redis-py and kombu alike.

Both libraries read URLs themselves, but differently: in the place of the database, in the spelling
of unix sockets, and in whether a TLS certificate is verified. So neither of them gets the URL.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Self, TypeAlias
from urllib.parse import quote, unquote, urlsplit

from webhook.redis.url_options import read_options, tls_of

_SOCKETS = ("unix", "redis+socket")
_SENTINELS = ("redis+sentinel", "rediss+sentinel")
_CLUSTERS = ("redis+cluster", "rediss+cluster")
SCHEMES = ("redis", "rediss", *_SOCKETS, *_SENTINELS, *_CLUSTERS)
PORT = 6379
SENTINEL_PORT = 26_379
_SENTINEL_LOGIN = ("sentinel_username", "sentinel_password")

# Host and port.
Place: TypeAlias = tuple[str, int]


class RedisKind(StrEnum):
    """How the server of a key is found."""

    SERVER = "server"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


def is_redis(url: str) -> bool:
    """Return whether a URL names a Redis, by its scheme alone."""
    return url.partition("://")[0].lower() in SCHEMES


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisAddress:
    """Where a Redis is and how to log in; `path` is that of a unix socket, `tls` None without TLS.

    `tls` has the options of redis-py's SSLConnection. `places` are those of the sentinels that know
    the primary of `service`, or of some nodes of a cluster; a server alone has a host and a port.
    """

    kind: RedisKind = RedisKind.SERVER
    places: tuple[Place, ...] = ()
    service: str = ""
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)
    host: str = "localhost"
    port: int = PORT
    path: str = ""
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Mapping[str, object] | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Return the address in a URL.

        Raises ValueError, whose message completes a sentence that names the setting.
        """
        scheme, separator, rest = url.partition("://")
        if not separator or scheme.lower() not in SCHEMES:
            raise ValueError(
                "must start with redis://, rediss:// or unix://, or with one of "
                f"{', '.join(f'{name}://' for name in (*_SENTINELS, *_CLUSTERS))}"
            )
        try:
            return cls._parse(scheme.lower(), *_split(rest))
        except ValueError:
            # A password with an unescaped /, # or ? ends the authority early.
            login, at, place = rest.rpartition("@")
            if not at or scheme.lower() in _SOCKETS:
                raise
            try:
                return cls._parse(scheme.lower(), login, *_split(place)[1:])
            except ValueError:
                pass
            raise

    @classmethod
    def _parse(cls, scheme: str, login: str, place: str, path: str, query: str) -> Self:
        options = read_options(query, _SENTINEL_LOGIN if scheme in _SENTINELS else ())
        username, _, password = login.partition(":")
        username = options.get("username") or _decoded(username)
        password = options.get("password") or _decoded(password)
        login_as = cls(username=username or None, password=password or None)
        if scheme in _SOCKETS:
            if place or not path.strip("/"):
                raise ValueError("has no socket path: write unix:///path/to/socket")
            return replace(login_as, path=_decoded(path), db=_database("", options))
        login_as = replace(login_as, tls=tls_of(scheme, options))
        if scheme in _SENTINELS:
            return replace(login_as, **_behind_sentinels(place, path, options))
        if scheme in _CLUSTERS:
            return replace(login_as, **_in_cluster(place, path, options))
        host, port = _place(place, PORT)
        return replace(login_as, host=host, port=port, db=_database(path, options))

    @property
    def parameters(self) -> dict[str, object]:
        """The keyword arguments of redis-py's connection classes.

        Host and port are missing if they are found at the time of connecting.
        """
        login = {"db": self.db, "username": self.username, "password": self.password}
        if self.path:
            return {"path": self.path, **login}
        if self.kind is not RedisKind.SERVER:
            return {**login, **(self.tls or {})}
        return {"host": self.host, "port": self.port, **login, **(self.tls or {})}

    @property
    def url(self) -> str:
        """The address without login and options, for people and for kombu's choice of transport."""
        if self.path:
            return f"redis+socket://{quote(self.path)}?virtual_host={self.db}"
        # kombu reads one host: behind sentinels it is the first of these.
        place, port = self.places[0] if self.places else (self.host, self.port)
        host = f"[{place}]" if ":" in place else quote(place)
        # Also with TLS: for rediss:// kombu would add options of its own.
        return f"redis://{host}:{port}/{self.db}"


def _behind_sentinels(place: str, path: str, options: Mapping[str, str]) -> dict[str, Any]:
    service, _, database = path.strip("/").partition("/")
    if not place or not service:
        raise ValueError(
            "must name the sentinels and the primary that they watch: write "
            "redis+sentinel://host1,host2,host3/NAME/0"
        )
    return {
        "kind": RedisKind.SENTINEL,
        "places": _places(place, SENTINEL_PORT),
        "service": _decoded(service),
        "db": _database(database, options),
        **{name: options[name] for name in _SENTINEL_LOGIN if name in options},
    }


def _in_cluster(place: str, path: str, options: Mapping[str, str]) -> dict[str, Any]:
    if not place:
        raise ValueError("must name nodes of the cluster: write redis+cluster://host1,host2")
    if _database(path, options):
        raise ValueError("must have the database 0: a cluster has no other")
    return {"kind": RedisKind.CLUSTER, "places": _places(place, PORT)}


def _split(rest: str) -> tuple[str, str, str, str]:
    """Return login, host with port, path and query; urllib reads only http URLs the same always."""
    parts = urlsplit(f"http://{rest}")
    if parts.fragment or rest.endswith("#"):
        raise ValueError("must not have a #: write %23 if it is part of the password")
    login, _, place = parts.netloc.rpartition("@")
    return login, place, parts.path, parts.query


def _decoded(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("has a percent escape that is not UTF-8") from None


def _places(places: str, port: int) -> tuple[Place, ...]:
    return tuple(_place(place, port) for place in places.split(",") if place)


def _place(place: str, default: int) -> Place:
    match = re.fullmatch(
        r"(?P<host>\[[0-9A-Fa-f:.%\w]+\]|[^:\[\]\s]*)(?::(?P<port>[0-9]*))?", place
    )
    if match is None:
        raise ValueError("must have a port from 1 to 65535, and an IPv6 address in brackets")
    port = int(match["port"] or default)
    if not 1 <= port <= 65_535:  # noqa: PLR2004
        raise ValueError("must have a port from 1 to 65535")
    return _decoded(match["host"].strip("[]")) or "localhost", port


def _database(path: str, options: Mapping[str, str]) -> int:
    named = {path.removeprefix("/")} if path.strip("/") else set()
    named |= {options[name].removeprefix("/") for name in ("db", "virtual_host") if name in options}
    if not all(re.fullmatch(r"[0-9]{1,9}", name, re.ASCII) for name in named):
        raise ValueError("must have a number as its database, such as …/0")
    numbers = set(map(int, named))
    if len(numbers) > 1:
        raise ValueError("names two databases: leave one out")
    return numbers.pop() if numbers else 0
