"""Creates jobs: validate, store, then wake the submit step."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from webhook.contract import Task
from webhook.log import get_logger
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore
from worker.jobs.transitions import LOST_WAKE_AFTER
from worker.operations.orphans import adopt, find_orphan
from worker.operations.request import DraftJob, InvalidJobId, JobRequest, canonical
from worker.operations.validation import Validator
from worker.types import Json

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """A stored job; `new` is False if it existed before this call."""

    job: Job
    new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCreator:
    """Creates jobs; `wake` sends the Celery message of a task for a job."""

    store: JobStore
    validator: Validator
    wake: Callable[[Task, str], None]
    # Names of the metadata that events carry; "*" stands for all.
    event_metadata: tuple[str, ...] = ()
    # Returns the archived job with an id, or None.
    archived: Callable[[str], Job | None] = lambda _job_id: None

    def create(self, request: JobRequest) -> Job:
        """Store the job as QUEUED and wake its submit step; the same id is the same job.

        Raises what `Validator.validate` and `add` raise.
        """
        return self.add(self.validator.validate(request)).job

    def existing(self, job: Job) -> Job | None:
        """Return the stored job with this id, or None; a rejected request does not count.

        Raises InvalidJobId if the stored job has other contents or another tenant.
        """
        stored = self.store.get(job.id) or self.archived(job.id)
        if stored is None or stored.replaceable_by(job.tenant):
            return None
        if stored.tenant != job.tenant:
            # Not a word of a job of another tenant.
            raise InvalidJobId(f"job id {job.id} is taken; use another id, or leave it out")
        if _contents(stored) != _contents(job):
            raise InvalidJobId(
                f"job id {job.id} belongs to another job of {stored.endpoint}; "
                "use another id, or leave it out"
            )
        return stored

    def for_events(self, metadata: Mapping[str, Json]) -> Mapping[str, Json]:
        """Return the part of a job's metadata that its events carry."""
        if "*" in self.event_metadata:
            return metadata
        return {name: metadata[name] for name in self.event_metadata if name in metadata}

    def add(self, draft: DraftJob) -> Created:
        """Put the job's local files into storage, store the job, then wake it.

        A callback that came for this id before, to no record, is adopted: nothing is posted.

        Raises InvalidJobId for an id of a job with other contents, RequestRejected for files that
        have changed, and the storage's Failure if they cannot be stored now.
        """
        job = replace(draft.job, event_metadata=self.for_events(draft.job.metadata))
        self.validator.staging.put(draft.staged)
        new = self._store_or_adopt(job)
        if new:
            log.info("job.created", job=job.id, endpoint=job.endpoint)
        stored = self.existing(job) or job
        if stored.state is JobState.QUEUED:
            self.wake(Task.SUBMIT, job.id)
        return Created(job=stored, new=new)

    def _store_or_adopt(self, job: Job) -> bool:
        """Store a new job; with the id of an orphan it takes the result that is there.

        Return False for the id of a stored or an archived job.
        """
        if (old := self.archived(job.id)) and not old.refused:
            return False
        if orphan := find_orphan(self.store, job.id):
            log.warning("callback.adopted", job=job.id, request_id=orphan.newest.request_id)
            return adopt(self.store, job, orphan)
        due = self.store.clock() + LOST_WAKE_AFTER
        return self.store.add(job, due=due, event={"name": "created", "step": Task.CREATE})


def _contents(job: Job) -> tuple[str, object]:
    return job.endpoint, canonical(job.arguments)
