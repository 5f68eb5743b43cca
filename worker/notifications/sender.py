"""One attempt: one POST, and what came of it."""

import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import httpcore
import httpx

from worker.notifications.guarded_network import (
    AddressRefused,
    GuardedNetwork,
    NameNotResolved,
    Resolve,
    attempt_ends,
    resolve,
)
from worker.notifications.target import InvalidTarget, TargetRules

# Seconds for a whole attempt, and of these until the connection is ready.
BUDGET, CONNECT = 15.0, 5.0
# Bytes of an answer that are read. They are kept as they came: nothing is decompressed.
ANSWER = 1_024
# Seconds in which it must come after the status.
_TEXT_SECONDS = 2.0
# Below the 5 s after which uvicorn and Node close an idle connection.
_KEPT_OPEN = 4.0
_TIMEOUTS = {"connect": CONNECT, "read": BUDGET, "write": BUDGET, "pool": BUDGET}


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
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl_context or httpx.create_ssl_context(trust_env=True),
            max_connections=None,
            max_keepalive_connections=100,
            keepalive_expiry=_KEPT_OPEN,
            network_backend=GuardedNetwork(rules, resolve),
        )

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """POST the body once and return what came of it, within the budget."""
        began = time.monotonic()
        token = attempt_ends.set(began + self._budget)
        try:
            status, text, after = self._post(url, body, headers)
            answer = Answer(
                status=status, text=text, retry_after=after, seconds=time.monotonic() - began
            )
        except Exception as error:  # noqa: BLE001  # every one has a class, and is tried again
            answer = Answer(error=_error_class(error), seconds=time.monotonic() - began)
        finally:
            attempt_ends.reset(token)
        return answer

    def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, str, str]:
        self._rules.check(url)
        sent = {
            "Content-Type": "application/json",
            "User-Agent": "falhook",
            "Accept-Encoding": "identity",
            **headers,
        }
        with self._pool.stream(
            "POST",
            url,
            headers=list(sent.items()),
            content=body,
            extensions={"timeout": _TIMEOUTS},
        ) as response:
            # What has come counts, also if the rest does not come.
            text = _beginning(response)
            after = next(
                (value for name, value in response.headers if name.lower() == b"retry-after"), b""
            )
            return response.status, text, after.decode("latin-1")[:100]

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()


def _beginning(response: httpcore.Response) -> str:
    read = b""
    attempt_ends.set(min(attempt_ends.get(), time.monotonic() + _TEXT_SECONDS))
    # The status has come: a body that breaks off or does not end changes nothing.
    with suppress(httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
        for chunk in response.iter_stream():
            read += chunk
            if len(read) >= ANSWER:
                break
    return read[:ANSWER].decode(errors="replace")


_CLASSES: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    ((AddressRefused, InvalidTarget), "forbidden_address"),
    (NameNotResolved, "dns"),
    (httpcore.ConnectTimeout, "connect_timeout"),
    (httpcore.TimeoutException, "timeout"),
    (httpcore.ConnectError, "connect"),
    (httpcore.ProtocolError, "protocol"),
    (httpcore.NetworkError, "connection"),
)


def _error_class(error: Exception) -> str:
    if _is_tls(error):
        return "tls"
    return next((name for kinds, name in _CLASSES if isinstance(error, kinds)), "failed")


def _is_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
