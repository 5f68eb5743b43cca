"""fal's public keys: cached, refreshed on a miss, served stale while fal's host is away."""

import asyncio
import json
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Protocol

import httpx
from nacl.signing import VerifyKey

from webhook.log import get_logger

# https://docs.fal.ai/documentation/model-apis/inference/webhooks : cache at most 24 hours.
MAX_AGE = 24 * 3600.0
# A flood of forgeries must not make us a flood at fal's door: one fetch a minute at most.
MIN_INTERVAL = 60.0
MAX_DOCUMENT = 64 * 1024
MAX_KEYS = 20
ED25519_KEY_BYTES = 32

log = get_logger()


class KeysUnavailable(Exception):
    """No key of fal is known, so no callback can be judged."""


class Fetch(Protocol):
    """Gets the key document; raises OSError or ValueError when it cannot."""

    async def __call__(self) -> bytes: ...


def parse(document: bytes) -> tuple[VerifyKey, ...]:
    """The Ed25519 keys of a JWKS (RFC 7517, RFC 8037), `x` padded or not.

    Keys of another kind are passed over. Raises ValueError if the document is no JWKS, too large,
    or left with no key or more than MAX_KEYS.
    """
    if len(document) > MAX_DOCUMENT:
        raise ValueError(f"larger than {MAX_DOCUMENT} bytes")
    match json.loads(document):
        case {"keys": list(entries)}:
            keys = tuple(key for entry in entries if (key := _key(entry)) is not None)
        case _:
            raise ValueError("not a JWKS document")
    if not 1 <= len(keys) <= MAX_KEYS:
        raise ValueError(f"{len(keys)} usable keys; expected 1 to {MAX_KEYS}")
    return keys


def _key(entry: object) -> VerifyKey | None:
    match entry:
        case {"kty": "OKP", "crv": "Ed25519", "x": str(x)}:
            raw = urlsafe_b64decode(x.rstrip("=") + "=" * (-len(x.rstrip("=")) % 4))
            return VerifyKey(raw) if len(raw) == ED25519_KEY_BYTES else None
    return None


class Keys:
    """The keys to verify with. One instance per process; `clock` is monotonic seconds."""

    def __init__(self, fetch: Fetch, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: tuple[VerifyKey, ...] = ()
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._refreshing = asyncio.Lock()

    @property
    def count(self) -> int:
        """How many keys are known."""
        return len(self._keys)

    @property
    def age(self) -> float:
        """Seconds since the known keys were fetched; infinite before the first time."""
        return self._clock() - self._fetched_at

    async def current(self) -> tuple[VerifyKey, ...]:
        """The known keys, refreshed when older than MAX_AGE; stale ones if that fails.

        Raises KeysUnavailable if none were ever had.
        """
        if self.age > MAX_AGE:
            await self.refresh()
        if not self._keys:
            raise KeysUnavailable
        return self._keys

    async def refresh(self) -> bool:
        """Fetch the keys anew, once for all who ask at a time and at most once a minute.

        True if the set of keys changed since the caller asked.
        """
        before = self._keys
        async with self._refreshing:
            if self._keys is before and self._clock() - self._tried_at >= MIN_INTERVAL:
                self._tried_at = self._clock()
                await self._load()
        return self._keys != before

    async def _load(self) -> None:
        try:
            keys = parse(await self._fetch())
        except (OSError, ValueError) as error:
            log.warning("keys.refresh_failed", error=type(error).__name__, known=self.count)
            return
        self._fetched_at = self._clock()
        self._keys = keys
        log.info("keys.refreshed", count=self.count)


def fetch_keys(url: str) -> Fetch:
    """Gets fal's key document: at most MAX_DOCUMENT bytes, within 10 s, no redirects."""

    async def fetch() -> bytes:
        async with httpx.AsyncClient(timeout=10, follow_redirects=False) as client:
            try:
                response = await client.get(url)
            except httpx.HTTPError as error:
                raise OSError(type(error).__name__) from None
        if response.status_code != httpx.codes.OK or len(response.content) > MAX_DOCUMENT:
            raise ValueError(f"status {response.status_code}, {len(response.content)} bytes")
        return response.content

    return fetch
