"""What runs besides the jobs: workers, queues, the sweep, the receiver, webhooks."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import httpx
from redis import Redis

from webhook.contract import Queue
from webhook.shards import all_keys
from worker.broker.heartbeats import WorkerSeen
from worker.jobs.deployment import swept_at
from worker.jobs.store import OWED
from worker.notifications.dead import dead_of
from worker.notifications.endpoint import State, endpoint_key
from worker.notifications.endpoints import all_endpoints

# Seconds for an answer of the receiver.
_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookStats:
    """Events that no lane has yet or that wait in one; those that are dead, and can be re-sent."""

    owed: int
    dead: int
    disabled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The processes and their queues; `workers` is None while the first are listened for.

    `receiver` is a sentence. `unheard` says why nothing can be known of workers and queues; "" if
    the broker answers. `swept` is when a sweep last ran, in Unix seconds.
    """

    workers: Sequence[WorkerSeen] | None = None
    queues: Mapping[Queue, int] = field(default_factory=dict)
    receiver: str = ""
    unheard: str = ""
    swept: float | None = None
    webhooks: WebhookStats = WebhookStats(owed=0, dead=0, disabled=0)

    def as_data(self) -> Mapping[str, object]:
        """Return it as JSON."""
        return {
            "workers": [
                {"name": each.name, "pid": each.pid, "version": each.version}
                for each in self.workers or ()
            ],
            "queues": self.queues,
            "receiver": self.receiver,
            "unheard": self.unheard,
            "swept": self.swept,
            "webhooks": {
                "owed": self.webhooks.owed,
                "dead": self.webhooks.dead,
                "disabled": self.webhooks.disabled,
            },
        }


def read_deployment(
    redis: Redis,
    *,
    length: Callable[[Queue], int],
    workers: Sequence[WorkerSeen] | None,
    receiver: str,
    unheard: str,
) -> Deployment:
    """Return what Redis and the broker know of the processes."""
    return Deployment(
        workers=workers,
        queues={} if unheard else {queue: length(queue) for queue in Queue},
        receiver=receiver,
        unheard=unheard,
        swept=swept_at(redis),
        webhooks=_webhooks(redis, time.time()),
    )


def _webhooks(redis: Redis, now: float) -> WebhookStats:
    endpoints = all_endpoints(redis)
    with redis.pipeline(transaction=False) as calls:
        for key in all_keys(OWED):
            calls.zcard(key)
        for each in endpoints:
            calls.zcard(endpoint_key(each, "lane"))
        owed = sum(cast(list[int], calls.execute()))
        for each in endpoints:
            calls.hget(endpoint_key(each, "endpoint"), "state")
        disabled = cast(list[str | None], calls.execute()).count(State.DISABLED.value)
    dead = dead_of(redis, endpoints, now=now)
    return WebhookStats(owed=owed, dead=dead.number, disabled=disabled)


def ask_receiver(public_url: str) -> str:
    """Return a sentence on whether the receiver answers at its public address."""
    if not public_url:
        return "not asked: FALHOOK_PUBLIC_URL is not set here"
    began = time.monotonic()
    try:
        answer = httpx.get(f"{public_url}/healthz", timeout=_TIMEOUT)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"does not answer at {public_url} ({type(error).__name__})"
    if not answer.is_success:
        return f"answered {answer.status_code} at {public_url}"
    return f"answers at {public_url} in {(time.monotonic() - began) * 1000:.0f} ms"
