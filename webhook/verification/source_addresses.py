"""The addresses that fal calls from: an optional early check that replaces no signature.

https://api.fal.ai/v1/meta publishes them, subject to change. While they or the caller's address
are unknown, every caller passes and the signature decides.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

from webhook.log import get_logger
from webhook.verification.fetch import FetchBytes

REFRESH_EVERY = 600.0
MAX_AGE = 24 * 3600.0
MAX_RANGES = 1_000

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

log = get_logger()


def parse_ranges(document: bytes) -> tuple[Network, ...]:
    """Return the networks in fal's document. Raises ValueError unless it has 1 to MAX_RANGES."""
    try:
        content = json.loads(document)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    match content:
        case {"webhook_ip_ranges": list(ranges)} if 1 <= len(ranges) <= MAX_RANGES:
            return tuple(ip_network(str(entry)) for entry in ranges)
    raise ValueError("no webhook_ip_ranges")


def client_address(
    peer: str | None, forwarded: Iterable[bytes], trusted: Sequence[Network]
) -> Address | None:
    """Return the last address in X-Forwarded-For that is not a trusted proxy's.

    `forwarded` is the values of that header; if `peer` itself is not trusted, return `peer`.
    Return None if the address is unknown.
    """
    address = _address(peer or "")
    hops = b",".join(forwarded).decode("latin-1").split(",")
    while address is not None and _within(address, trusted) and hops:
        address = _address(hops.pop())
    return address


def _address(text: str) -> Address | None:
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)


class SourceAddresses:
    """fal's published addresses; `clock` is monotonic seconds, `host` is only logged."""

    def __init__(
        self,
        fetch: FetchBytes,
        *,
        trusted: Sequence[Network],
        host: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._trusted = trusted
        self._host = host
        self._clock = clock
        self._ranges: tuple[Network, ...] = ()
        self._fetched_at = float("-inf")

    async def run(self, *, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        """Refresh the addresses every REFRESH_EVERY seconds until cancelled."""
        while True:
            await self.refresh()
            await sleep(REFRESH_EVERY)

    async def refresh(self) -> None:
        """Fetch the addresses; the known ones stay in use if that fails."""
        try:
            self._ranges = parse_ranges(await self._fetch())
        except (OSError, ValueError) as error:
            log.warning("sources.refresh_failed", host=self._host, error=error)
            return
        self._fetched_at = self._clock()

    def admit(self, peer: str | None, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Return False if the caller's address is known and fal does not publish it."""
        if self._clock() - self._fetched_at > MAX_AGE:
            return True
        forwarded = [value for name, value in headers if name == b"x-forwarded-for"]
        address = client_address(peer, forwarded, self._trusted)
        return address is None or _within(address, self._ranges)
