"""fal's public keys: cached, refreshed on a miss, kept in use while fal's host is down."""

import asyncio
import json
import re
import time
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable, Sequence

from nacl.signing import VerifyKey

from webhook.log import get_logger
from webhook.verification.fetch import MAX_DOCUMENT, FetchBytes

# https://docs.fal.ai/documentation/model-apis/inference/webhooks : cache at most 24 hours.
MAX_AGE = 24 * 3600.0
# Seconds between refreshes in the background, so that no callback has to wait for one.
REFRESH_EVERY = 3600.0
# Seconds between two fetches at least: a flood of forgeries must not become a flood at fal.
MIN_INTERVAL = 60.0
MAX_KEYS = 20
# RFC 8037: 32 bytes in base64url without padding; fal's own sample expects padding.
_X = re.compile(r"[A-Za-z0-9_-]{43}=?")

log = get_logger()


class KeysUnavailable(Exception):
    """No key of fal is known, so no callback can be verified."""


def parse(document: bytes) -> tuple[VerifyKey, ...]:
    """Return the Ed25519 keys of a JWKS (RFC 7517, RFC 8037), `x` padded or not.

    Other kinds of keys are skipped. Raises ValueError if the document is not a JWKS, is too large,
    or has no Ed25519 key or more than MAX_KEYS.
    """
    if len(document) > MAX_DOCUMENT:
        raise ValueError(f"larger than {MAX_DOCUMENT} bytes")
    try:
        content = json.loads(document)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    match content:
        case {"keys": list(entries)}:
            parsed = (_key(entry) for entry in entries)
            keys = tuple(dict.fromkeys(key for key in parsed if key is not None))
        case _:
            raise ValueError("not a JWKS document")
    if not 1 <= len(keys) <= MAX_KEYS:
        raise ValueError(f"{len(keys)} usable keys; expected 1 to {MAX_KEYS}")
    return keys


def _key(entry: object) -> VerifyKey | None:
    match entry:
        case {"kty": "OKP", "crv": "Ed25519", "x": str(x)} if _X.fullmatch(x):
            return VerifyKey(urlsafe_b64decode(x[:43] + "="))
    return None


class KeySet:
    """The cached keys, one instance per process; `clock` is monotonic seconds.

    `host`, from which they are fetched, is only logged.
    """

    def __init__(
        self, fetch: FetchBytes, *, host: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._host = host
        self._clock = clock
        self._keys: tuple[VerifyKey, ...] = ()
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._missed_at = float("-inf")
        self._refreshing = asyncio.Lock()

    @property
    def count(self) -> int:
        """The number of known keys."""
        return len(self._keys)

    @property
    def age(self) -> float:
        """Seconds since the known keys were fetched; infinite before the first fetch."""
        return self._clock() - self._fetched_at

    @property
    def fresh(self) -> tuple[VerifyKey, ...]:
        """The keys if they need no refresh, else none."""
        return self._keys if self.age <= MAX_AGE else ()

    async def run(self, *, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        """Refresh the keys every hour until cancelled; after a failure, in a minute."""
        while True:
            await self.refresh()
            await sleep(REFRESH_EVERY if self.age < MIN_INTERVAL else MIN_INTERVAL)

    async def current(self) -> tuple[VerifyKey, ...]:
        """Return the keys, refreshed if older than MAX_AGE; the old ones if that fails.

        Raises KeysUnavailable if no fetch ever succeeded.
        """
        if self.age > MAX_AGE:
            await self.refresh()
        if not self._keys:
            raise KeysUnavailable
        return self._keys

    async def refresh(self) -> None:
        """Fetch the keys, once for concurrent callers and at most once a minute."""
        async with self._refreshing:
            if self._clock() - self._tried_at >= MIN_INTERVAL:
                self._tried_at = self._clock()
                await self._load()

    async def changed_since(self, tried: Sequence[VerifyKey]) -> bool:
        """Return whether the keys differ from those `tried`, which did not verify a callback.

        fal may have rotated its keys, so they are fetched if no miss did so within a minute.
        Concurrent misses share one fetch; fetches for other reasons do not count.
        """
        async with self._refreshing:
            if self._keys == tried and self._clock() - self._missed_at >= MIN_INTERVAL:
                self._missed_at = self._clock()
                await self._load()
        return self._keys != tried

    async def _load(self) -> None:
        try:
            keys = parse(await self._fetch())
        except (OSError, ValueError) as error:
            fields = {"host": self._host, "error": error, "known": self.count}
            log.warning("keys.refresh_failed", **fields)
            return
        self._fetched_at = self._clock()
        self._keys = keys
        log.info("keys.refreshed", count=self.count)
