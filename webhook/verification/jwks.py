"""fal's public keys: cached, refreshed on a miss, served stale while fal's host is away."""

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
# In the background, so that no callback has to wait for it; seconds.
REFRESH_EVERY = 3600.0
# A flood of forgeries must not make us a flood at fal's door: one fetch a minute at most.
MIN_INTERVAL = 60.0
MAX_KEYS = 20
# RFC 8037: 32 bytes in base64url, which fal's own sample decodes as if it were padded.
_X = re.compile(r"[A-Za-z0-9_-]{43}=?")

log = get_logger()


class KeysUnavailable(Exception):
    """No key of fal is known, so no callback can be judged."""


def parse(document: bytes) -> tuple[VerifyKey, ...]:
    """The Ed25519 keys of a JWKS (RFC 7517, RFC 8037), `x` padded or not.

    Keys of another kind are passed over. Raises ValueError if the document is no JWKS, too large,
    or left with no key or more than MAX_KEYS.
    """
    if len(document) > MAX_DOCUMENT:
        raise ValueError(f"larger than {MAX_DOCUMENT} bytes")
    try:
        content = json.loads(document)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    match content:
        case {"keys": list(entries)}:
            found = (_key(entry) for entry in entries)
            keys = tuple(dict.fromkeys(key for key in found if key is not None))
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
    """The keys to verify with. One instance per process; `clock` is monotonic seconds.

    `host`, where they are fetched from, is for the log.
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
        """How many keys are known."""
        return len(self._keys)

    @property
    def age(self) -> float:
        """Seconds since the known keys were fetched; infinite before the first time."""
        return self._clock() - self._fetched_at

    async def run(self, *, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        """Keep the keys fresh until cancelled; after a failure, try again in a minute."""
        while True:
            await self.refresh()
            await sleep(REFRESH_EVERY if self.age < MIN_INTERVAL else MIN_INTERVAL)

    async def current(self) -> tuple[VerifyKey, ...]:
        """The known keys, refreshed when older than MAX_AGE; stale ones if that fails.

        Raises KeysUnavailable if none were ever had.
        """
        if self.age > MAX_AGE:
            await self.refresh()
        if not self._keys:
            raise KeysUnavailable
        return self._keys

    async def refresh(self) -> None:
        """Fetch the keys anew, once for all who ask at a time and at most once a minute."""
        async with self._refreshing:
            if self._clock() - self._tried_at >= MIN_INTERVAL:
                self._tried_at = self._clock()
                await self._load()

    async def missed(self, tried: Sequence[VerifyKey]) -> bool:
        """True if there are other keys than those `tried`, which did not verify a callback.

        fal may have rotated them: they are fetched anew, once for all who miss at a time and at
        most once a minute, whatever was fetched for other reasons.
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
            told = {"host": self._host, "error": type(error).__name__, "known": self.count}
            log.warning("keys.refresh_failed", **told)
            return
        self._fetched_at = self._clock()
        self._keys = keys
        log.info("keys.refreshed", count=self.count)
