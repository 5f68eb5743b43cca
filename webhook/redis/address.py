"""The address of a Redis: a URL that is parsed once, for redis-py and kombu alike.

Both libraries read URLs themselves, but differently: in the place of the database, in the spelling
of unix sockets, and in whether a TLS certificate is verified. So neither of them gets the URL.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self
from urllib.parse import parse_qsl, quote, unquote, urlsplit

_SOCKETS = ("unix", "redis+socket")
SCHEMES = ("redis", "rediss", *_SOCKETS)
PORT = 6379
_CERTIFICATES = frozenset({"none", "optional", "required"})
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_TLS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_TLS = ("ssl_cert_reqs", "ssl_check_hostname", *_TLS_FILES, "ssl_ca_path", "ssl_password")
_OPTIONS = ("db", "virtual_host", "username", "password")


def is_redis(url: str) -> bool:
    """Return whether a URL names a Redis, by its scheme alone."""
    return url.partition("://")[0].lower() in SCHEMES


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisAddress:
    """Where a Redis is and how to log in; `path` is that of a unix socket, `tls` None without TLS.

    `tls` has the options of redis-py's SSLConnection.
    """

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
            raise ValueError("must start with redis://, rediss:// or unix://")
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
        options = _options(query)
        username, _, password = login.partition(":")
        username = options.get("username") or _decoded(username)
        password = options.get("password") or _decoded(password)
        login_as = cls(username=username or None, password=password or None)
        if scheme in _SOCKETS:
            if place or not path.strip("/"):
                raise ValueError("has no socket path: write unix:///path/to/socket")
            return replace(login_as, path=_decoded(path), db=_database("", options))
        host, port = _place(place)
        tls = tls_options(_only(options, _TLS)) if scheme == "rediss" else None
        if tls is None and (named := [name for name in options if name.startswith("ssl_")]):
            raise ValueError(
                f"has the option {named[0]}, which needs rediss:// instead of redis://"
            )
        return replace(login_as, host=host, port=port, db=_database(path, options), tls=tls)

    @property
    def parameters(self) -> dict[str, object]:
        """The keyword arguments of redis-py's connection classes."""
        login = {"db": self.db, "username": self.username, "password": self.password}
        if self.path:
            return {"path": self.path, **login}
        return {"host": self.host, "port": self.port, **login, **(self.tls or {})}

    @property
    def url(self) -> str:
        """The address without login and options, for people and for kombu's choice of transport."""
        if self.path:
            return f"redis+socket://{quote(self.path)}?virtual_host={self.db}"
        host = f"[{self.host}]" if ":" in self.host else quote(self.host)
        # Also with TLS: for rediss:// kombu would add options of its own.
        return f"redis://{host}:{self.port}/{self.db}"


def _split(rest: str) -> tuple[str, str, str, str]:
    """Return login, host with port, path and query; urllib reads only http URLs the same always."""
    parts = urlsplit(f"http://{rest}")
    if parts.fragment or rest.endswith("#"):
        raise ValueError("must not have a #: write %23 if it is part of the password")
    login, _, place = parts.netloc.rpartition("@")
    return login, place, parts.path, parts.query


def _options(query: str) -> dict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True)
    options = dict(pairs)
    _refuse_unknown(options, (*_OPTIONS, *_TLS))
    if len(options) < len(pairs):
        raise ValueError("has the same option twice")
    return options


def _refuse_unknown(options: Iterable[str], known: Collection[str]) -> None:
    for name in options:
        if name not in known:
            supported = f" (supported: {', '.join(known)})" if known else ""
            raise ValueError(
                f"has the option {name}, which falhook does not support: leave it out{supported}"
            )


def _only(options: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    return {name: options[name] for name in names if name in options}


def _decoded(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("has a percent escape that is not UTF-8") from None


def _place(place: str) -> tuple[str, int]:
    match = re.fullmatch(
        r"(?P<host>\[[0-9A-Fa-f:.%\w]+\]|[^:\[\]\s]*)(?::(?P<port>[0-9]*))?", place
    )
    if match is None:
        raise ValueError("must have a port from 1 to 65535, and an IPv6 address in brackets")
    port = int(match["port"] or PORT)
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


def tls_options(options: Mapping[str, str], *, refused: Collection[str] = ()) -> dict[str, object]:
    """Return redis-py's TLS options; the certificate is verified unless the URL says otherwise.

    Raises ValueError for names other than those, and for `refused` ones.
    """
    _refuse_unknown(options, [name for name in _TLS if name not in refused])
    wanted = options.get("ssl_cert_reqs", "required").lower().removeprefix("cert_")
    checked = options.get("ssl_check_hostname", "true").lower()
    if wanted not in _CERTIFICATES:
        raise ValueError("has an ssl_cert_reqs other than none, optional and required")
    if checked not in _TRUTH:
        raise ValueError("has an ssl_check_hostname other than true and false")
    for name in _TLS_FILES:
        if name in options and not Path(options[name]).is_file():
            raise ValueError(f"has an {name} that names no file")
    if "ssl_ca_path" in options and not Path(options["ssl_ca_path"]).is_dir():
        raise ValueError("has an ssl_ca_path that names no directory")
    verified = wanted != "none" and _TRUTH[checked]
    rest = _only(options, (*_TLS_FILES, "ssl_ca_path", "ssl_password"))
    return {"ssl_cert_reqs": wanted, "ssl_check_hostname": verified, **rest}
