"""The Celery task falhook.create: its parameters, and its retries."""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from celery import Celery
from celery import Task as CeleryTask
from celery.exceptions import Reject
from redis.exceptions import RedisError

from webhook.contract import Task
from webhook.log import get_logger
from worker.errors import Failure
from worker.jobs.step import backoff
from worker.jobs.tenant import DEFAULT
from worker.operations.create_message import Intake
from worker.operations.request import JobRequest
from worker.types import Json

# Tries of a message while the broker accepts no retry. After these the message is left
# unacknowledged, so that a worker can end; on Redis it returns within minutes.
MESSAGE_TRIES = 20
LONGEST_PAUSE = 30.0
# More do not make a wait longer.
_DOUBLINGS = 20

log = get_logger()
_JITTER = random.Random()  # noqa: S311  # no secret


def _wait(tries: int) -> float:
    return backoff(tries, None, _JITTER)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTask:
    """Receives messages; one that cannot become a job now is retried, each time later."""

    intake: Intake
    # Returns the seconds until the next try, from the number of tries so far.
    wait: Callable[[int], float] = _wait
    pause: Callable[[float], object] = time.sleep

    def register(self, app: Celery) -> None:
        """Register falhook.create with `app`, so that its workers run it."""
        run = self.run

        def create(  # noqa: PLR0917  # a message's arguments, in the order they were added
            task: "CeleryTask[..., None]",
            /,
            endpoint: str = "",
            arguments: Mapping[str, object] = MappingProxyType({}),
            metadata: Mapping[str, Json] | None = None,
            job_id: str | None = None,
            options: Mapping[str, object] | None = None,
            unchecked: bool = False,
            tenant: str | None = None,
            *surplus: object,
            id: str | None = None,  # noqa: A002  # the name in messages
            notify: str | None = None,
            traceparent: str | None = None,
            **unknown: object,
        ) -> None:
            """Create a job for any Celery client; the same id is the same job.

            `job_id` is the older name of `id`.
            """
            if job_id is None:
                job_id = id
            elif id is not None and id != job_id:
                unknown["id beside another job_id"] = id
            named = [name for name, value in unknown.items() if value is not None]
            request = JobRequest(
                endpoint=endpoint,
                arguments=arguments,
                metadata=metadata or {},
                job_id=job_id,
                options=options or {},
                unchecked=unchecked,
                tenant=DEFAULT if tenant is None else tenant,
                notify=notify,
                traceparent=traceparent or task.request.get("traceparent"),
                unknown=(*named, *(f"argument {at}" for at, _ in enumerate(surplus, start=8))),
            )
            run(task, request)

        # Unlimited retries: Redis or storage may be away for days.
        app.task(name=Task.CREATE, bind=True, shared=False, max_retries=None)(create)

    def run(self, task: "CeleryTask[..., None]", request: JobRequest) -> None:
        """Create the job. Raises Retry when the broker has accepted the message for later.

        While the broker does not, the message waits here, unacknowledged. In the end Reject leaves
        it with the broker.
        """
        for tries in range(1, MESSAGE_TRIES + 1):
            try:
                self.intake.receive(request, task.request.id)
            except (Failure, RedisError) as failure:
                self._retry_later(task, failure)
                self.pause(min(LONGEST_PAUSE, self.wait(tries)))
            else:
                return
        raise Reject("neither Redis nor the broker accepted it", requeue=True)

    def _retry_later(self, task: "CeleryTask[..., None]", failure: Failure | RedisError) -> None:
        seconds = self.wait(1 + min(task.request.retries, _DOUBLINGS))
        log.warning("create.waits", message=task.request.id, reason=_reason(failure), wait=seconds)
        try:
            # Celery would repeat the prompt in headers, which monitors read and log.
            hidden: Any = {"argsrepr": "(…)", "kwargsrepr": "{…}"}
            raise task.retry(countdown=seconds, throw=False, **hidden)
        except Reject:
            # Celery's Reject for a failed send would discard the message.
            return


def _reason(failure: Failure | RedisError) -> str:
    if isinstance(failure, Failure):
        return failure.reason
    # The error's text may contain the message's; Redis 6 words OOM differently in scripts.
    return "redis_full" if "OOM" in str(failure) else type(failure).__name__
