"""The API keys in Redis, which holds no token: only an HMAC of it under our secret.

Redis keys, which have one hash tag:

falhook:{keys}:key:ID  hash: the fields of ApiKey, and `digest`, the HMAC of the token
falhook:{keys}:ids     sorted set: id → when the key was created
"""

import hashlib
import hmac
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import cast

from redis import Redis
from redis.exceptions import RedisError

from webhook.redis.confirmation import ConfirmedScripts
from worker.api_keys.api_key import ApiKey, InvalidKey, checked_name
from worker.api_keys.scopes import Scope
from worker.api_keys.token import Token
from worker.jobs.tenant import checked_tenant

# Seconds for which a key that was revoked or has expired is still listed.
KEPT = 30 * 86_400.0
_MINUTE = 60.0
_IDS = "falhook:{keys}:ids"


class ApiKeys:
    """The keys of one Redis, which must decode responses; safe to share between threads.

    `secrets` are those of FALHOOK_SECRET: the first protects new keys, all are accepted. Listing
    and revoking need none. `clock` is Unix seconds.
    """

    def __init__(
        self,
        redis: Redis,
        secrets: tuple[str, ...] = (),
        clock: Callable[[], float] = time.time,
        *,
        make: Callable[[], Token] = Token.make,
    ) -> None:
        self._redis = redis
        self._secrets = secrets
        self.clock = clock
        self._make = make
        self._confirmed = ConfirmedScripts(redis)

    def add(
        self,
        name: str,
        *,
        tenant: str,
        scopes: Collection[Scope],
        expires_at: float | None = None,
    ) -> tuple[ApiKey, Token]:
        """Return a new key and its token, which nothing can show again.

        Several keys may have one name. Raises InvalidKey and InvalidTenant; Unconfirmed, a
        RedisError, if a replica does not have the key.
        """
        now = self.clock()
        if not scopes:
            raise InvalidKey(f"A key needs a scope: {', '.join(Scope)}.")
        if expires_at is not None and expires_at <= now:
            raise InvalidKey("A key must expire in the future.")
        key = ApiKey(
            id="",
            name=checked_name(name),
            tenant=checked_tenant(tenant),
            scopes=frozenset(scopes),
            created_at=now,
            expires_at=expires_at,
        )
        while True:
            token = self._make()
            key = replace(key, id=token.id)
            if self._write(key, _digest(self._secrets[0], token)):
                return key, token

    def list(self, tenant: str | None = None) -> Sequence[ApiKey]:
        """Return the keys of a tenant or of all, the oldest first.

        Those that were revoked or have expired are among them for a while.
        """
        ids = cast(list[str], self._redis.zrange(_IDS, 0, -1))
        with self._redis.pipeline(transaction=False) as calls:
            for key_id in ids:
                calls.hgetall(_key(key_id))
            records = dict(zip(ids, cast(list[dict[str, str]], calls.execute()), strict=True))
        if forgotten := [key_id for key_id, record in records.items() if not record]:
            self._redis.zrem(_IDS, *forgotten)
        keys = [ApiKey.decode(record) for record in records.values() if record]
        return [key for key in keys if tenant is None or key.tenant == tenant]

    def get(self, key_id: str) -> ApiKey | None:
        """Return the key with this id, also one that is not valid any more; None if unknown."""
        record = cast(dict[str, str], self._redis.hgetall(_key(key_id)))
        return ApiKey.decode(record) if record else None

    def revoke(self, key_id: str) -> bool:
        """Revoke the key: `find` does not return it from now on; return whether it exists.

        Raises Unconfirmed, a RedisError, if a replica may not know it yet: repeat it then.
        """
        now = self.clock()
        script = _script("revoke.lua")
        keys, args = [_key(key_id)], [repr(now), f"{KEPT:.0f}"]
        return bool(self._confirmed.eval(script, keys, args))

    def find(self, text: str) -> ApiKey | None:
        """Return the valid key with this token.

        None for any other: malformed, unknown, expired or revoked. One that was stored under an
        older secret is stored under the first.
        """
        token = Token.parse(text)
        if token is None:
            return None
        digests = [_digest(secret, token) for secret in self._secrets]
        record = cast(dict[str, str], self._redis.hgetall(_key(token.id)))
        stored = record.get("digest", "").encode()
        equal = [hmac.compare_digest(digest.encode(), stored) for digest in digests]
        if not any(equal):
            return None
        key = ApiKey.decode(record)
        if key.state(self.clock()) != "valid":
            return None
        if not equal[0]:
            self._set(key, "digest", digests[0])
        return key

    def note_use(self, key: ApiKey) -> None:
        """Record that the key was used in this minute, unless its record says so already."""
        minute = self.clock() // _MINUTE * _MINUTE
        if key.last_used_at is None or key.last_used_at < minute:
            self._set(key, "last_used_at", repr(minute))

    def _write(self, key: ApiKey, digest: str) -> bool:
        kept = "" if key.expires_at is None else f"{key.expires_at - key.created_at + KEPT:.0f}"
        fields = [each for pair in key.encode().items() for each in pair]
        args = [key.id, repr(key.created_at), kept, digest, *fields]
        return bool(self._confirmed.eval(_script("add.lua"), [_key(key.id), _IDS], args))

    def _set(self, key: ApiKey, field: str, value: str) -> None:
        # A Redis that takes no writes now can still answer whoever reads jobs.
        with suppress(RedisError):
            self._redis.hset(_key(key.id), field, value)


def _key(key_id: str) -> str:
    return f"falhook:{{keys}}:key:{key_id}"


def _digest(secret: str, token: Token) -> str:
    message = f"falhook API key\n{token.text}".encode()
    return hmac.digest(secret.encode(), message, hashlib.sha256).hex()


def _script(name: str) -> str:
    return Path(__file__).with_name(name).read_text()
