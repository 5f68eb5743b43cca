"""How a job comes to be: checked first, written down, then woken."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from webhook.contract import JOB_ID, Task
from webhook.log import get_logger
from worker.jobs import Job, JobState, Json, new_job_id
from worker.models import Catalogue, Refusal
from worker.pipeline import WAKE_GRACE
from worker.records import Records

MAX_METADATA = 50

log = get_logger()


class JobRefused(Exception):
    """This cannot become a job; the message is a sentence with the cure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Creator:
    """Makes jobs. `wake` sends the Celery message of a task for a job."""

    records: Records
    catalogue: Catalogue
    wake: Callable[[Task, str], None]

    def create(
        self,
        endpoint: str,
        arguments: Mapping[str, object],
        *,
        metadata: Mapping[str, Json] | None = None,
        job_id: str | None = None,
    ) -> Job:
        """The job, QUEUED and its submit step woken; the same id again is the same job.

        Raises UnknownEndpoint or InvalidArguments of the catalogue, and JobRefused for an id that
        is malformed or belongs to a job with other contents.
        """
        model = self.catalogue.find(endpoint)
        checked = model.check(arguments)
        if "video" not in model.outputs:
            raise JobRefused(
                f"{endpoint} gives {', '.join(model.outputs)}; falhook publishes videos. "
                "`falhook models` lists the endpoints that give one"
            )
        job = Job(
            id=_checked_id(job_id),
            endpoint=endpoint,
            arguments=checked,  # type: ignore[arg-type]  # the catalogue lets only JSON through
            metadata=metadata or {},
        )
        return self._add(job)

    def receive(
        self,
        endpoint: str,
        arguments: Mapping[str, object],
        *,
        metadata: Mapping[str, Json] | None = None,
        job_id: str | None = None,
    ) -> None:
        """What `create` does, for a message that nobody waits for.

        A job that is refused is written down as FAILED, so that its sender can see why.
        """
        try:
            self.create(endpoint, arguments, metadata=metadata, job_id=job_id)
        except Refusal as refusal:
            self._refuse(_checked_id(job_id), endpoint, metadata or {}, str(refusal))
        except JobRefused as refused:
            log.warning("job.refused", reason="bad_job", sentence=str(refused))

    def _refuse(
        self, job_id: str, endpoint: str, metadata: Mapping[str, Json], sentence: str
    ) -> None:
        job = Job(
            id=job_id,
            endpoint=endpoint,
            arguments={},
            metadata=metadata,
            state=JobState.FAILED,
            step=Task.CREATE,
            reason="invalid_arguments",
            sentence=sentence,
        )
        told = {"step": job.step, "reason": job.reason, "sentence": sentence}
        log.warning("job.refused", job=job.id, reason=job.reason)
        self.records.add(job, due=0, event={"name": "created", **told})

    def _add(self, job: Job) -> Job:
        due = self.records.clock() + WAKE_GRACE
        if self.records.add(job, due=due, event={"name": "created", "step": Task.CREATE}):
            log.info("job.created", job=job.id, endpoint=job.endpoint)
        standing = self.records.get(job.id) or job
        if (standing.endpoint, standing.arguments) != (job.endpoint, job.arguments):
            raise JobRefused(
                f"job id {job.id} belongs to another job of {standing.endpoint}; "
                "give this one an id of its own, or none"
            )
        if standing.state is JobState.QUEUED:
            self.wake(Task.SUBMIT, job.id)
        return standing


def _checked_id(job_id: str | None) -> str:
    if job_id is None:
        return new_job_id()
    if JOB_ID.fullmatch(job_id) is None:
        raise JobRefused(
            f"job id {job_id[:80]!r} is malformed: use 1 to 64 letters, digits, - and _, "
            "beginning with a letter or digit"
        )
    return job_id
