"""How many requests a key may send: a limit for each kind, kept in Redis for all processes.

The header fields are those of a draft, whose parameters may change:
https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-11
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import cast

from redis import Redis

from api.operation import Rate
from webhook.redis.replicas import Argument

_MICROSECONDS = 1_000_000
# Seconds after which an empty bucket is full again.
_SECONDS: Mapping[Rate, float] = {Rate.CREATE: 2.0, Rate.READ: 10.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A limit: `rate` requests a second on average, and `burst` at once."""

    name: Rate
    rate: float
    burst: int

    @classmethod
    def of(cls, name: Rate, rate: float) -> "Policy":
        """Return the policy of a kind of requests, for which `rate` are allowed a second."""
        return cls(name=name, rate=rate, burst=max(1, round(rate * _SECONDS[name])))


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What became of one request; times are seconds.

    `remaining` requests may follow at once, `policy.burst` again after `reset_seconds`. A request
    that was not allowed changed nothing, and is allowed after `retry_after`.
    """

    policy: Policy
    allowed: bool
    remaining: int
    reset_seconds: float
    retry_after: float


class RateLimits:
    """The limits of every key; safe to share between threads. Rates are requests a second."""

    def __init__(self, redis: Redis, *, create: float = 50.0, read: float = 20.0) -> None:
        self.policies = {
            name: Policy.of(name, rate) for name, rate in [(Rate.CREATE, create), (Rate.READ, read)]
        }
        self._redis = redis
        self._script = resources.files("api").joinpath("rate_limit.lua").read_text()

    def check(self, key_id: str, name: Rate, cost: int = 1) -> Allowance:
        """Count a request of a key, or `cost` of them, and return whether it is allowed.

        A request that costs more than a whole burst is allowed when nothing else was counted for a
        while; those after it wait until it is made up for.
        """
        return self.allowance(name, self.ask(self.command(key_id, name, cost)))

    def ask(self, command: Sequence[Argument]) -> object:
        """Return the answer to a `command`."""
        return self._redis.execute_command(*command)  # type: ignore[no-untyped-call]

    def command(self, key_id: str, name: Rate, cost: int = 1) -> Sequence[Argument]:
        """Return the command of Redis that counts as `check` does; `allowance` reads its answer."""
        policy = self.policies[name]
        key = f"falhook:{{keys}}:limit:{key_id}:{name}"
        return "EVAL", self._script, 1, key, _MICROSECONDS / policy.rate, policy.burst, cost

    def allowance(self, name: Rate, answer: object) -> Allowance:
        """Return what became of a request, from the answer to its `command`."""
        allowed, remaining, reset, wait = cast(tuple[int, int, int, int], answer)
        return Allowance(
            policy=self.policies[name],
            allowed=bool(allowed),
            remaining=remaining,
            reset_seconds=reset / _MICROSECONDS,
            retry_after=wait / _MICROSECONDS,
        )


def rate_limit_policy(policy: Policy) -> str:
    """Return the field RateLimit-Policy: the requests of a window, and its seconds."""
    return f'"{policy.name}";q={policy.burst};w={math.ceil(policy.burst / policy.rate)}'


def rate_limit(allowance: Allowance) -> str:
    """Return the field RateLimit: the requests left, and the seconds until all of them are."""
    name, seconds = allowance.policy.name, math.ceil(allowance.reset_seconds)
    return f'"{name}";r={allowance.remaining};t={seconds}'


def header_fields(allowance: Allowance) -> Mapping[str, str]:
    """Return the header fields of the answer to a counted request."""
    fields = {
        "RateLimit-Policy": rate_limit_policy(allowance.policy),
        "RateLimit": rate_limit(allowance),
    }
    if not allowance.allowed:
        fields["Retry-After"] = str(max(1, math.ceil(allowance.retry_after)))
    return fields
