"""Takes falhook.create messages: nobody waits for them, none is lost, none creates two jobs."""

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
from worker.jobs.tenant import DEFAULT, InvalidTenant, checked_tenant
from worker.operations.create import JobCreator
from worker.operations.request import InvalidJobId, JobRequest, checked_id
from worker.operations.validation import checked_metadata
from worker.text import shorten, shorten_lines
from worker.types import Json

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Creates jobs from messages, which any codebase may send and a broker may deliver twice."""

    creator: JobCreator

    def receive(self, request: JobRequest, message_id: str | None) -> None:
        """Create the job, or a FAILED one whose record says why it was rejected.

        A message without a job id gets the one of its message, so that a second delivery is the
        same job. A malformed id, or one of a job with other contents, is only logged. Raises
        RedisError and Failure if the same message may become a job later.
        """
        if request.job_id is None and message_id:
            request = replace(request, job_id=_derived_id(message_id))
        try:
            job_id = checked_id(request.job_id)
        except InvalidJobId:
            log.warning("job.refused", reason="bad_job", **_shape(request.job_id))
            return
        try:
            self._create(replace(request, job_id=job_id))
        except InvalidJobId as error:
            log.warning("job.refused", job=job_id, reason="bad_job", sentence=str(error))

    def _create(self, request: JobRequest) -> None:
        try:
            self.creator.create(request)
        except RequestRejected as rejection:
            self._store_rejection(request, rejection)
        except (InvalidJobId, Failure, RedisError):
            raise
        except Exception as error:  # noqa: BLE001  # a bug; record and log report any kind
            # A second delivery would crash again. The log gets the place, not the error's message,
            # which may contain a prompt.
            where = "".join(traceback.format_tb(error.__traceback__))
            fields = {"error": type(error).__name__, "where": where}
            log.error("create.crashed", job=request.job_id, **fields)  # noqa: TRY400
            sentence = f"falhook crashed on this message ({type(error).__name__}); see its log"
            self._store_rejection(request, RequestRejected("crashed", sentence))

    def _store_rejection(self, request: JobRequest, rejection: RequestRejected) -> None:
        metadata = _storable(request.metadata)
        job = Job(
            id=checked_id(request.job_id),
            tenant=_named(request.tenant),
            endpoint=shorten(str(request.endpoint), LONGEST_ENDPOINT),
            arguments={},
            metadata=metadata,
            event_metadata=self.creator.for_events(metadata),
            state=JobState.FAILED,
            step=Task.CREATE,
            reason=rejection.reason,
            sentence=shorten_lines(str(rejection)),
        )
        job = replace(job, owes=self.creator.routes().owed(job))
        log.warning("job.refused", job=job.id, reason=job.reason)
        stored = self.creator.store.get(job.id)
        if stored and stored.refused and stored.sentence == job.sentence:
            return
        fields = {"step": job.step, "reason": job.reason, "sentence": job.sentence}
        self.creator.store.add(job, due=0, event={"name": "created", **fields})


def _derived_id(message_id: str) -> str:
    # Celery's own ids are UUIDs; other clients use any text.
    return message_id if JOB_ID.fullmatch(message_id) else hashed_id(message_id)


def _named(tenant: object) -> str:
    """Return the tenant, or the default one for an unusable name: see `Job.replaceable_by`."""
    try:
        return checked_tenant(tenant)
    except InvalidTenant:
        return DEFAULT


def _storable(metadata: object) -> Mapping[str, Json]:
    """Return the metadata if a record can store them, else none."""
    try:
        return checked_metadata(metadata) if isinstance(metadata, Mapping) else {}
    except RequestRejected:
        return {}


def _shape(job_id: object) -> dict[str, object]:
    """Return type and length of a malformed id; its text may be a misplaced prompt."""
    text = job_id if isinstance(job_id, str) else ""
    return {"type": type(job_id).__name__, "length": len(text)}
