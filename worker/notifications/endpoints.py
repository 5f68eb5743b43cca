"""The store of endpoints: who is told, and with which keys.

falhook:{notify}:tenants           set: the tenants that have had an endpoint
falhook:{notify}:of:TENANT         set: the endpoints of a tenant
falhook:{notify}:addresses:TENANT  sorted set: endpoint of a host that jobs named → last use

worker/notifications/lanes.py lists the keys of an endpoint. Its secret is shown when it is made and
when it is replaced, and at no other time.
"""

import hashlib
import time
from base64 import b32encode
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, cast
from urllib.parse import urlsplit

from redis import Redis

from worker.jobs.tenant import checked_tenant
from worker.notifications.due_lanes import DueLanes
from worker.notifications.endpoint import (
    Endpoint,
    InvalidEndpoint,
    Kind,
    SealedKeys,
    State,
    checked_description,
    encode_keys,
    endpoint_key,
    new_id,
)
from worker.notifications.event_types import checked_events
from worker.notifications.new_receivers import NewReceivers
from worker.notifications.routes import ROUTES, USED, Route, Routes
from worker.notifications.schedule import DAY
from worker.notifications.signing_keys import KeySeal, SigningKeys, UnreadableKeys
from worker.notifications.target import TargetRules

MOST = 50
# Seconds for which keys that were replaced sign beside the new ones.
OVERLAP = DAY
# Seconds after its last use for which the endpoint of a host that jobs named is kept.
_ADDRESS_KEPT = 45 * DAY


class Endpoints:
    """The endpoints of one Redis, which must decode responses; safe to share between threads.

    `secrets` are those of FALHOOK_SECRET; listing and disabling need none. `clock` is Unix seconds.
    """

    def __init__(
        self,
        redis: Redis,
        secrets: Sequence[str] = (),
        *,
        rules: TargetRules | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.redis = redis
        self._seal = KeySeal(secrets)
        self._rules = rules or TargetRules()
        self._due = DueLanes(redis)
        self._new = NewReceivers(redis, clock)
        self.clock = clock

    def add(
        self,
        tenant: str,
        url: str,
        *,
        kind: Kind = Kind.STANDING,
        events: Collection[str] = (),
        description: str = "",
        ordered: bool = False,
        prompt: bool = False,
    ) -> tuple[Endpoint, SigningKeys]:
        """Return a new endpoint and its keys, whose secret nothing can show again.

        Raises InvalidEndpoint, InvalidTarget, InvalidEvents and InvalidTenant.
        """
        if kind is Kind.STANDING:
            self._rules.check(url)
        keys = SigningKeys.make()
        now = self.clock()
        endpoint = Endpoint(
            id=new_id(),
            tenant=checked_tenant(tenant),
            url=url if kind is Kind.STANDING else "",
            kind=kind,
            events=checked_events(events),
            description=checked_description(description),
            ordered=ordered,
            prompt=prompt,
            created_at=now,
            changed_at=now,
            keys=[SealedKeys(sealed=self._seal.seal(keys))],
        )
        self._require_room(endpoint)
        self._write(endpoint)
        self._publish(endpoint)
        return endpoint, keys

    def _write(self, endpoint: Endpoint) -> None:
        self.redis.hset(_record(endpoint.id), mapping=cast(Any, endpoint.encode()))

    def _require_room(self, endpoint: Endpoint) -> None:
        mine = self.list(endpoint.tenant)
        if len(mine) >= MOST:
            raise InvalidEndpoint(f"A tenant may have {MOST} endpoints; remove one first.")
        if endpoint.kind is Kind.JOBS and any(each.kind is Kind.JOBS for each in mine):
            raise InvalidEndpoint(
                f"Tenant {endpoint.tenant} has keys for the addresses of single jobs: rotate them "
                "instead, or remove them first."
            )

    def _publish(self, endpoint: Endpoint) -> None:
        """Have jobs be told to this endpoint, also those that have begun."""
        with self.redis.pipeline(transaction=False) as calls:
            calls.hset(ROUTES, endpoint.id, Route.of(endpoint).encode())
            calls.set(USED, "1")
            calls.sadd(_of_tenant(endpoint.tenant), endpoint.id)
            calls.sadd(_TENANTS, endpoint.tenant)
            calls.execute()
        self._new.note(endpoint.tenant)

    def list(self, tenant: str | None = None) -> Sequence[Endpoint]:
        """Return the endpoints of a tenant or of all, the oldest first."""
        names = _of_tenant(tenant) if tenant is not None else None
        sets = [names] if names else [_of_tenant(each) for each in self.tenants()]
        ids = [each for key in sets for each in cast(set[str], self.redis.smembers(key))]
        found = (self.get(each) for each in ids)
        return sorted((each for each in found if each), key=lambda each: (each.created_at, each.id))

    def tenants(self) -> Sequence[str]:
        """Return the tenants that have had an endpoint."""
        return sorted(cast(set[str], self.redis.smembers(_TENANTS)))

    def get(self, endpoint: str, tenant: str | None = None) -> Endpoint | None:
        """Return the endpoint, of this tenant if one is named; None if there is none."""
        record = cast(dict[str, str], self.redis.hgetall(_record(endpoint)))
        if "id" not in record:
            return None
        found = Endpoint.decode(record)
        foreign = tenant is not None and found.tenant != tenant
        return None if foreign or found.state is State.REMOVED else found

    def rotate(self, endpoint: Endpoint) -> SigningKeys:
        """Return new keys of the endpoint; the present ones sign beside them for a day.

        Raises InvalidEndpoint for one without keys of its own.
        """
        if endpoint.kind is Kind.ADDRESS:
            raise InvalidEndpoint(f"{endpoint.id} has no keys of its own: rotate {endpoint.signs}.")
        keys = SigningKeys.make()
        now = self.clock()
        # At most one pair beside the new one, so that headers stay short.
        present = [
            SealedKeys(sealed=each.sealed, until=now + OVERLAP)
            for each in endpoint.keys
            if each.until is None
        ]
        sealed = [SealedKeys(sealed=self._seal.seal(keys)), *present]
        self.redis.hset(_record(endpoint.id), "keys", encode_keys(sealed))
        return keys

    def enable(self, endpoint: Endpoint) -> None:
        """Have the endpoint be told of events from now on."""
        enabled = replace(endpoint, state=State.ENABLED, why="", changed_at=self.clock())
        key = _record(endpoint.id)
        self.redis.hset(
            key,
            mapping={
                "state": State.ENABLED.value,
                "why": "",
                "changed_at": repr(enabled.changed_at),
                "failures": "0",
            },
        )
        self.redis.hdel(key, "failing_since", "probe_at", "hold_until", "head_due", "told")
        if endpoint.kind is not Kind.ADDRESS:
            self._publish(enabled)

    def disable(self, endpoint: Endpoint) -> None:
        """Have the endpoint be told of nothing; what waits for it is dead, and can be re-sent."""
        changes = {
            "state": State.DISABLED.value,
            "why": "by_hand",
            "changed_at": repr(self.clock()),
        }
        self.redis.hset(_record(endpoint.id), mapping=cast(Any, changes))
        self.withdraw(endpoint)

    def remove(self, endpoint: Endpoint) -> None:
        """Forget the endpoint, and all that it was told or is owed."""
        self.redis.hset(_record(endpoint.id), "state", State.REMOVED.value)
        self.redis.srem(_of_tenant(endpoint.tenant), endpoint.id)
        self.withdraw(endpoint)

    def withdraw(self, endpoint: Endpoint) -> None:
        """Have nothing more be offered to an endpoint that is not enabled."""
        self.redis.hdel(ROUTES, endpoint.id)
        self._due.look_now([endpoint.id])

    def forget(self, endpoint: str) -> None:
        """Delete what Redis has of a removed endpoint whose lane is empty."""
        names = ("endpoint", "lane", "busy", "log", "dead")
        self.redis.delete(*(endpoint_key(endpoint, name) for name in names))

    def address(self, tenant: str, url: str, *, since: float) -> Endpoint | None:
        """Return the endpoint for an address that a job named: one for each host of a tenant.

        One that was disabled is enabled for jobs that were created after that, at `since`. None if
        it is disabled, or nothing signs for the tenant's jobs.
        """
        jobs = Routes.read(self.redis).for_jobs(tenant)
        if jobs is None:
            return None
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(url)).lower()
        digest = hashlib.sha256(f"{tenant}\0{origin}".encode()).digest()
        name = "ep_a" + b32encode(digest).decode().lower()[:24]
        found = self.get(name) or self._made(name, tenant, origin)
        self.redis.hset(_record(name), "signs", jobs.endpoint)
        self.redis.expire(_record(name), int(_ADDRESS_KEPT))
        self.redis.zadd(_addresses(tenant), {name: self.clock()})
        if not found.enabled:
            if since <= found.changed_at:
                return None
            self.enable(found)
        return found

    def _made(self, name: str, tenant: str, origin: str) -> Endpoint:
        now = self.clock()
        made = Endpoint(
            id=name,
            tenant=tenant,
            url=origin,
            kind=Kind.ADDRESS,
            created_at=now,
            changed_at=now,
        )
        self._write(made)
        return made

    def addresses(self, tenant: str) -> Sequence[str]:
        """Return the endpoints of hosts that the tenant's jobs have named, the latest first."""
        key, oldest = _addresses(tenant), self.clock() - _ADDRESS_KEPT
        self.redis.zremrangebyscore(key, "-inf", oldest)
        return cast(list[str], self.redis.zrevrange(key, 0, MOST - 1))

    def signing_keys(self, endpoint: Endpoint) -> Sequence[SigningKeys]:
        """Return the keys that sign for the endpoint now. Raises UnreadableKeys."""
        owner = self.get(endpoint.signs) if endpoint.signs else endpoint
        if owner is None:
            raise UnreadableKeys("the keys of the tenant's jobs were removed")
        now = self.clock()
        valid = [each for each in owner.keys if each.until is None or each.until > now]
        return [self._seal.open(each.sealed) for each in valid]


_TENANTS = "falhook:{notify}:tenants"


def all_endpoints(redis: Redis) -> Sequence[str]:
    """Return the ids of all endpoints, those of hosts that jobs named among them."""
    tenants = cast(set[str], redis.smembers(_TENANTS))
    with redis.pipeline(transaction=False) as calls:
        for tenant in tenants:
            calls.smembers(_of_tenant(tenant))
            calls.zrange(_addresses(tenant), 0, -1)
        return [each for found in calls.execute() for each in found]


def _of_tenant(tenant: str) -> str:
    return f"falhook:{{notify}}:of:{tenant}"


def _addresses(tenant: str) -> str:
    return f"falhook:{{notify}}:addresses:{tenant}"


def _record(endpoint: str) -> str:
    return endpoint_key(endpoint, "endpoint")
