"""falhook.create messages, for which nobody waits: none is lost, and none makes two jobs."""

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace

from redis.exceptions import RedisError

from webhook.contract import JOB_ID, Task
from webhook.log import get_logger
from worker.catalogue.endpoint import LONGEST_ENDPOINT
from worker.catalogue.errors import RequestRejected
from worker.errors import Failure
from worker.jobs.job import Job, JobState, hashed_id
from worker.operations.create import JobCreator
from worker.operations.request import InvalidJobId, JobRequest, checked_id
from worker.operations.validation import checked_metadata
from worker.text import shorten, shorten_lines
from worker.types import Json

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Makes jobs of messages, which come from any codebase and may come twice."""

    creator: JobCreator

    def receive(self, order: JobRequest, message_id: str | None) -> None:
        """Afterwards there is the job, or a FAILED one that tells its sender why.

        The same message is the same job: without an id of its own it has that of its message. One
        under whose id there can be no job leaves a line in the log alone. Raises RedisError and
        Failure where the same message may become a job later.
        """
        if order.job_id is None and message_id:
            order = replace(order, job_id=_derived(message_id))
        try:
            job_id = checked_id(order.job_id)
        except InvalidJobId:
            log.warning("job.refused", reason="bad_job", **_shape(order.job_id))
            return
        try:
            self._create(replace(order, job_id=job_id))
        except InvalidJobId as refused:
            log.warning("job.refused", job=job_id, reason="bad_job", sentence=str(refused))

    def _create(self, order: JobRequest) -> None:
        try:
            self.creator.create(order)
        except RequestRejected as refusal:
            self._refuse(order, refusal)
        except (InvalidJobId, Failure, RedisError):
            raise
        except Exception as error:  # noqa: BLE001  # told in record and log, whatever it was
            # A check that breaks on a message would break on it again.
            # Where it broke, without its words: they may be those of a prompt.
            where = "".join(traceback.format_tb(error.__traceback__))
            told = {"error": type(error).__name__, "where": where}
            log.error("create.crashed", job=order.job_id, **told)  # noqa: TRY400
            sentence = f"falhook broke on this message ({type(error).__name__}); see its log"
            self._refuse(order, RequestRejected("crashed", sentence))

    def _refuse(self, order: JobRequest, refusal: RequestRejected) -> None:
        job = Job(
            id=checked_id(order.job_id),
            endpoint=shorten(str(order.endpoint), LONGEST_ENDPOINT),
            arguments={},
            metadata=_fit(order.metadata),
            state=JobState.FAILED,
            step=Task.CREATE,
            reason=refusal.reason,
            sentence=shorten_lines(str(refusal)),
        )
        log.warning("job.refused", job=job.id, reason=job.reason)
        standing = self.creator.store.get(job.id)
        if standing and standing.refused and standing.sentence == job.sentence:
            return
        told = {"step": job.step, "reason": job.reason, "sentence": job.sentence}
        self.creator.store.add(job, due=0, event={"name": "created", **told})


def _derived(message_id: str) -> str:
    # Celery's own are UUIDs; other clients write what they like.
    return message_id if JOB_ID.fullmatch(message_id) else hashed_id(message_id)


def _fit(metadata: object) -> Mapping[str, Json]:
    """The metadata, if a record can hold them."""
    try:
        return checked_metadata(metadata) if isinstance(metadata, Mapping) else {}
    except RequestRejected:
        return {}


def _shape(job_id: object) -> dict[str, object]:
    """What the log may hold of a malformed id, which may be a prompt in the wrong place."""
    text = job_id if isinstance(job_id, str) else ""
    return {"type": type(job_id).__name__, "length": len(text)}
