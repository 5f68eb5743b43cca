"""One attempt: one POST, and what came of it."""

import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from urllib.parse import SplitResult

import httpx

from worker.notifications.guarded_network import (
    AddressRefused,
    ConnectTimedOut,
    GuardedNetwork,
    NameNotResolved,
    NotConnected,
    Resolve,
    resolve,
)
from worker.notifications.http_connection import HttpConnection, Response
from worker.notifications.target import PORTS, InvalidTarget, TargetRules

# Seconds for a whole attempt, and of these until the connection is ready.
BUDGET, CONNECT = 15.0, 5.0
# Below the 5 s after which uvicorn and Node close an idle connection.
_KEPT_OPEN = 4.0
# Idle connections that are kept.
_MOST_KEPT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of an attempt: a status, or the class of the error that took its place.

    `text` is the beginning of the answer's body, `retry_after` its header.
    """

    status: int = 0
    error: str = ""
    text: str = ""
    retry_after: str = ""
    seconds: float = 0.0


class Sender:
    """Sends messages to receivers; safe to share between threads.

    It follows no redirect and uses no proxy, which would connect in its place.
    """

    def __init__(
        self,
        rules: TargetRules,
        *,
        resolve: Resolve = resolve,
        ssl_context: ssl.SSLContext | None = None,
        budget: float = BUDGET,
    ) -> None:
        self._rules = rules
        self._budget = budget
        context = ssl_context or httpx.create_ssl_context(trust_env=True)
        context.set_alpn_protocols(["http/1.1"])
        self._network = GuardedNetwork(rules, context, resolve)
        self._idle = _IdleConnections()

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """POST the body once and return what came of it, within the budget."""
        began = time.monotonic()
        try:
            came = self._post(url, body, headers, began + self._budget)
        except Exception as error:  # noqa: BLE001  # every one has a class, and is tried again
            return Answer(error=_error_class(error), seconds=time.monotonic() - began)
        return Answer(
            status=came.status,
            text=came.text,
            retry_after=came.retry_after,
            seconds=time.monotonic() - began,
        )

    def _post(self, url: str, body: bytes, headers: Mapping[str, str], ends: float) -> Response:
        parts = self._rules.check(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        connection = self._idle.take(origin) or self._connected(parts, ends)
        try:
            return connection.exchange(_request(parts, body, headers), ends)
        finally:
            self._idle.put(origin, connection)

    def _connected(self, parts: SplitResult, ends: float) -> HttpConnection:
        host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
        until = min(ends, time.monotonic() + CONNECT)
        tls = parts.scheme == "https"
        return HttpConnection(self._network.connect(host, port, tls=tls, ends=until))

    def close(self) -> None:
        """Close all connections."""
        self._idle.close()
        self._network.close()


def _request(parts: SplitResult, body: bytes, headers: Mapping[str, str]) -> bytes:
    query = f"?{parts.query}" if parts.query else ""
    fields = {
        "Host": parts.netloc,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "User-Agent": "falhook",
        "Accept-Encoding": "identity",
        **headers,
    }
    lines = [f"{name}: {value}\r\n" for name, value in fields.items()]
    head = f"POST {parts.path or '/'}{query} HTTP/1.1\r\n{''.join(lines)}\r\n"
    return head.encode("ascii") + body


class _IdleConnections:
    """Connections that wait for the next message to their origin."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, list[HttpConnection]] = {}
        self._count = 0
        self._cleared = 0.0

    def take(self, origin: str) -> HttpConnection | None:
        """Return one that is ready, the latest first."""
        while True:
            with self._lock:
                kept = self._kept.get(origin)
                if not kept:
                    return None
                connection = kept.pop()
                self._count -= 1
            if connection.is_ready(time.monotonic(), _KEPT_OPEN):
                return connection
            connection.close()

    def put(self, origin: str, connection: HttpConnection) -> None:
        """Keep it if it can be used again, else close it."""
        now = time.monotonic()
        if now - self._cleared >= _KEPT_OPEN:
            self._cleared = now
            self._clear(now)
        with self._lock:
            if connection.is_open and self._count < _MOST_KEPT:
                self._kept.setdefault(origin, []).append(connection)
                self._count += 1
                return
        connection.close()

    def _clear(self, now: float) -> None:
        """Close those that nobody has used for too long."""
        with self._lock:
            every = self._kept
            self._kept, self._count, old = {}, 0, []
            for origin, connections in every.items():
                fresh = [each for each in connections if now - each.idle_since < _KEPT_OPEN]
                old += [each for each in connections if each not in fresh]
                if fresh:
                    self._kept[origin] = fresh
                    self._count += len(fresh)
        for connection in old:
            connection.close()

    def close(self) -> None:
        """Close all."""
        self._clear(float("inf"))


_CLASSES: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    ((AddressRefused, InvalidTarget), "forbidden_address"),
    (NameNotResolved, "dns"),
    (ConnectTimedOut, "connect_timeout"),
    (NotConnected, "connect"),
    (ssl.SSLError, "tls"),
    (TimeoutError, "timeout"),
    (HTTPException, "protocol"),
    (OSError, "connection"),
)


def _error_class(error: Exception) -> str:
    return next((name for kinds, name in _CLASSES if isinstance(error, kinds)), "failed")
