"""What follows once an endpoint is no longer enabled: what waits is dead, and others are told."""

from dataclasses import dataclass
from typing import cast

from redis import Redis

from worker.notifications.endpoint import Kind, State, endpoint_key
from worker.notifications.endpoints import Endpoints
from worker.notifications.fan_out import FanOut
from worker.notifications.lanes import Lanes


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """Closes lanes; it may be repeated, and die anywhere."""

    redis: Redis
    lanes: Lanes
    endpoints: Endpoints
    fan_out: FanOut

    def run(self, endpoint: str, state: State) -> bool:
        """Bury some of what waits; return whether there is more."""
        if state is State.DISABLED:
            self._tell(endpoint)
        left = self.lanes.bury(endpoint)
        if state is State.REMOVED and not left:
            self.endpoints.forget(endpoint)
        return left > 0

    def _tell(self, endpoint: str) -> None:
        """Tell the tenant's other endpoints, once, unless a person disabled this one."""
        key = endpoint_key(endpoint, "endpoint")
        told, times = cast(list[str | None], self.redis.hmget(key, "told", "disables"))
        found = self.endpoints.get(endpoint)
        if told is None or found is None:
            return
        if found.kind is not Kind.ADDRESS:
            self.endpoints.withdraw(found)
        self.fan_out.disabled(found, int(times or 1), float(told))
        self.redis.hdel(key, "told")
