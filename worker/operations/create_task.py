"""The Celery task falhook.create: what it takes, and how a message comes again later."""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from celery import Celery
from celery import Task as CeleryTask
from celery.exceptions import Reject
from redis.exceptions import RedisError

from webhook.contract import Task
from webhook.log import get_logger
from worker.errors import Failure
from worker.jobs.step import backoff
from worker.operations.create_message import Intake
from worker.operations.request import JobRequest
from worker.types import Json

# Times that a message is tried while the broker takes none back: after that it goes back
# unacknowledged, so that a worker can end. On Redis it then comes again after the visibility
# timeout.
MESSAGE_TRIES = 20
LONGEST_PAUSE = 30.0
# More make a wait no longer.
_DOUBLINGS = 20

log = get_logger()
_JITTER = random.Random()  # noqa: S311  # no secret


def _wait(tries: int) -> float:
    return backoff(tries, None, _JITTER)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTask:
    """Takes messages in; one that cannot become a job now comes again, each time later."""

    intake: Intake
    # Seconds until the next try, after so many.
    wait: Callable[[int], float] = _wait
    pause: Callable[[float], object] = time.sleep

    def register(self, app: Celery) -> None:
        """Afterwards workers of `app` take falhook.create messages."""
        run = self.run

        def create(  # noqa: PLR0917  # the fields of a message, in the order they were added
            task: "CeleryTask[..., None]",
            /,
            endpoint: str = "",
            arguments: Mapping[str, object] = MappingProxyType({}),
            metadata: Mapping[str, Json] | None = None,
            job_id: str | None = None,
            options: Mapping[str, object] | None = None,
            unchecked: bool = False,
            *surplus: object,
            **unknown: object,
        ) -> None:
            """Make a job, for any Celery client; the same job_id again is the same job."""
            named = [name for name, value in unknown.items() if value is not None]
            order = JobRequest(
                endpoint=endpoint,
                arguments=arguments,
                metadata=metadata or {},
                job_id=job_id,
                options=options or {},
                unchecked=unchecked,
                unknown=(*named, *(f"argument {at}" for at, _ in enumerate(surplus, start=7))),
            )
            run(task, order)

        # Without a bound: what a message waits for, Redis or storage, may be away for days.
        app.task(name=Task.CREATE, bind=True, shared=False, max_retries=None)(create)

    def run(self, task: "CeleryTask[..., None]", order: JobRequest) -> None:
        """Take the order in. Raises Retry once the broker has the message for later.

        While the broker takes none the message waits here, unacknowledged; in the end it is
        rejected, which leaves it with the broker.
        """
        for tries in range(1, MESSAGE_TRIES + 1):
            try:
                self.intake.receive(order, task.request.id)
            except (Failure, RedisError) as failure:
                self._later(task, failure)
                self.pause(min(LONGEST_PAUSE, self.wait(tries)))
            else:
                return
        raise Reject("neither Redis nor the broker took it", requeue=True)

    def _later(self, task: "CeleryTask[..., None]", failure: Failure | RedisError) -> None:
        seconds = self.wait(1 + min(task.request.retries, _DOUBLINGS))
        log.warning("create.waits", message=task.request.id, reason=_reason(failure), wait=seconds)
        try:
            raise task.retry(countdown=seconds, throw=False)
        except Reject:
            # Celery rejects a message that it could not send again, which would end it.
            return


def _reason(failure: Failure | RedisError) -> str:
    if isinstance(failure, Failure):
        return failure.reason
    # The words of such an error may hold those of a message; Redis 6 tells a script of a plain one.
    return "redis_full" if "OOM" in str(failure) else type(failure).__name__
