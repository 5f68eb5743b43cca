"""How a job comes to be: checked first, written down, then woken."""

from collections.abc import Callable
from dataclasses import dataclass

from webhook.contract import Task
from webhook.log import get_logger
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore
from worker.jobs.transitions import LOST_WAKE_AFTER
from worker.operations.request import DraftJob, InvalidJobId, JobRequest, canonical
from worker.operations.validation import Validator

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """A job on record, and whether this call wrote it down: else it was there already."""

    job: Job
    new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCreator:
    """Makes jobs. `wake` sends the Celery message of a task for a job."""

    store: JobStore
    checks: Validator
    wake: Callable[[Task, str], None]

    def create(self, order: JobRequest) -> Job:
        """The job, QUEUED and its submit step woken; the same id again is the same job.

        Raises as `Checks.draft` and `add` do.
        """
        return self.add(self.checks.validate(order)).job

    def existing(self, job: Job) -> Job | None:
        """The job that has this id already; a refused creation is none.

        Raises JobRefused if its contents are others.
        """
        found = self.store.get(job.id)
        if found is None or found.refused:
            return None
        if _asked(found) != _asked(job):
            raise InvalidJobId(
                f"job id {job.id} belongs to another job of {found.endpoint}; "
                "give this one an id of its own, or none"
            )
        return found

    def add(self, draft: DraftJob) -> Created:
        """The job, written down and woken, its local files in storage before.

        Raises JobRefused for an id that belongs to a job with other contents, a Refusal for files
        that changed meanwhile, and the storage's own Failure where they cannot be stored now.
        """
        job = draft.job
        self.checks.staging.put(draft.staged)
        due = self.store.clock() + LOST_WAKE_AFTER
        new = self.store.add(job, due=due, event={"name": "created", "step": Task.CREATE})
        if new:
            log.info("job.created", job=job.id, endpoint=job.endpoint)
        standing = self.existing(job) or job
        if standing.state is JobState.QUEUED:
            self.wake(Task.SUBMIT, job.id)
        return Created(job=standing, new=new)


def _asked(job: Job) -> tuple[str, object]:
    return job.endpoint, canonical(job.arguments)
