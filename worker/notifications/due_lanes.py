"""Which endpoints have something to do, and when: a superset of the truth.

falhook:{notify}:due  sorted set: endpoint → when its lane is looked at next

An endpoint's lane is in another slot, so the two cannot change together. A lane is written first
and its entry here after it; whoever looks at a lane moves its entry ahead before, and settles it
after. A crash in between costs a second look, never a delivery.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from redis import Redis

DUE = "falhook:{notify}:due"
# Seconds after which a lane is looked at again, if whoever looks at it ends meanwhile; less than a
# lease, so that no lane in use has to be settled.
GUARD = 20.0
# Sets the entries, or removes them, unless something has become due since the guard was set.
_SETTLE = """
for at = 2, #ARGV, 2 do
  local now = redis.call('ZSCORE', KEYS[1], ARGV[at])
  if now and tonumber(now) == tonumber(ARGV[1]) then
    if ARGV[at + 1] == '' then
      redis.call('ZREM', KEYS[1], ARGV[at])
    else
      redis.call('ZADD', KEYS[1], ARGV[at + 1], ARGV[at])
    end
  end
end
"""


class DueLanes:
    """The endpoints of one Redis that have something to do; times are Unix seconds."""

    def __init__(self, redis: Redis, *, guard: float = GUARD) -> None:
        self._redis = redis
        self._guard = guard
        self._settle = redis.register_script(_SETTLE)

    def look_now(self, endpoints: Iterable[str]) -> None:
        """Have these lanes looked at at once."""
        if now := dict.fromkeys(endpoints, 0.0):
            self._redis.zadd(DUE, now)

    def due(self, now: float, limit: int) -> Sequence[str]:
        """Return endpoints whose lanes are to be looked at, the most overdue first."""
        return cast(list[str], self._redis.zrangebyscore(DUE, 0, now, start=0, num=limit))

    def any_due(self, now: float) -> bool:
        """Return whether there is one."""
        return bool(self._redis.zcount(DUE, 0, now))

    def next_at(self) -> float | None:
        """Return when the next lane is to be looked at; None if no lane is."""
        first = cast(list[tuple[str, float]], self._redis.zrange(DUE, 0, 0, withscores=True))
        return first[0][1] if first else None

    def look_at(self, times: Iterable[tuple[str, float]]) -> None:
        """Have these lanes looked at then, or before."""
        first: dict[str, float] = {}
        for endpoint, at in times:
            first[endpoint] = min(at, first.get(endpoint, at))
        if first:
            self._redis.zadd(DUE, first, lt=True)

    def guard(self, endpoints: Iterable[str], now: float) -> str:
        """Say before looking at these lanes that they are looked at; return what `settle` needs."""
        until = now + self._guard
        self._redis.zadd(DUE, dict.fromkeys(endpoints, until))
        return repr(until)

    def settle(self, guard: str, times: Mapping[str, float | None]) -> None:
        """Say after a look when the lanes need the next; None for never."""
        args = [guard]
        for endpoint, at in times.items():
            if at is None:
                args += [endpoint, ""]
            elif at < float(guard):  # else it is looked at before
                args += [endpoint, repr(at)]
        if args[1:]:
            self._settle(keys=[DUE], args=args)
