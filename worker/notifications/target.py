"""The addresses of receivers: which can be given, and what is allowed to be reached."""

import re
from dataclasses import dataclass
from typing import Protocol, Self
from urllib.parse import SplitResult, urlsplit

from worker.notifications.forbidden_networks import is_forbidden, read_address

LONGEST = 2_000
PORTS = {"https": 443, "http": 80}
_SHAPE = re.compile(r"[!-~]+")
# A last label of digits, or hexadecimal: https://url.spec.whatwg.org/#ends-in-a-number-checker
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class InvalidTarget(ValueError):
    """An address to which nothing can be sent; the message is a sentence with the correction."""


class TargetSettings(Protocol):
    """The settings that say to which addresses messages may be sent."""

    @property
    def notify_http(self) -> bool: ...
    @property
    def notify_loopback(self) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRules:
    """What is allowed beside https on port 443.

    `http` allows http on port 80. `loopback` allows this machine with any port, as the local stack
    needs; no deployment sets it.
    """

    http: bool = False
    loopback: bool = False

    @classmethod
    def of(cls, settings: TargetSettings) -> Self:
        """Return what the settings allow."""
        return cls(http=settings.notify_http, loopback=settings.notify_loopback)

    def check(self, url: str) -> SplitResult:
        """Return the parts of an address that may be sent to. Raises InvalidTarget.

        Nothing is resolved: what its name leads to is checked at each connection.
        """
        parts = _parts(url)
        host = parts.hostname or ""
        if self.allows_loopback(host):
            return parts
        if parts.scheme == "http" and not self.http:
            raise InvalidTarget("a receiver needs https (FALHOOK_NOTIFY_HTTP=1 allows http)")
        if parts.port not in {None, PORTS[parts.scheme]}:
            raise InvalidTarget(f"a receiver needs port {PORTS[parts.scheme]}, not {parts.port}")
        _check_host(host)
        return parts

    def allows_loopback(self, host: str) -> bool:
        """Return whether this is a name of this machine, and allowed."""
        return self.loopback and host in _LOOPBACK

    def allows(self, host: str, address: str) -> bool:
        """Return whether a connection to this address, of the host's answer, is allowed."""
        try:
            parsed = read_address(address)
        except ValueError:
            return False
        if self.allows_loopback(host) and parsed.is_loopback:
            return True
        return not is_forbidden(parsed)


def _parts(url: str) -> SplitResult:
    if len(url) > LONGEST or not _SHAPE.fullmatch(url):
        raise InvalidTarget(
            f"the address of a receiver has 1 to {LONGEST:,} ASCII characters without blanks; "
            "write a name beyond ASCII in its form xn--…"
        )
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise InvalidTarget("the address of a receiver must be https://host/path") from None
    if parts.scheme not in PORTS or not parts.hostname:
        raise InvalidTarget("the address of a receiver must be https://host/path")
    if "@" in parts.netloc:
        raise InvalidTarget("the address of a receiver may not have a user or password")
    if "#" in url:
        raise InvalidTarget("the address of a receiver may not have a fragment (#)")
    if "\\" in url:
        raise InvalidTarget("the address of a receiver may not have a backslash")
    return parts


def _check_host(host: str) -> None:
    try:
        address = read_address(host)
    except ValueError:
        if _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
            raise InvalidTarget("the host of a receiver is neither a name nor an address") from None
        return
    if is_forbidden(address):
        raise InvalidTarget("the host of a receiver is not a public address")
