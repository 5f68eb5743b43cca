"""Creates jobs: validate, store, then wake the submit step."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from webhook.contract import Task
from webhook.log import get_logger
from worker.catalogue.errors import RequestRejected
from worker.jobs.job import Job, JobState
from worker.jobs.store import LOST_WAKE_AFTER, JobStore, Known, NewRecord
from worker.notifications.routes import Routes
from worker.operations.orphans import adopt, find_orphan
from worker.operations.request import AS_SENT, DraftJob, InvalidJobId, JobRequest, canonical
from worker.operations.validation import Validator
from worker.text import shorten
from worker.traces import context as traces
from worker.types import Json

log = get_logger()

# States whose record may be new: each other one is preceded by a write that was confirmed.
UNCONFIRMED = frozenset({JobState.QUEUED, JobState.SUBMIT_UNKNOWN})
_CREATED = {"name": "created", "step": Task.CREATE}
_FIELDS_NAMED = 10
_LONGEST_NAME = 80


class FingerprintMismatch(InvalidJobId):
    """An id whose job was created by a different request; `fields` are the parts that differ."""

    def __init__(self, job_id: str, fields: Sequence[str]) -> None:
        beyond = len(fields) - _FIELDS_NAMED
        names = ", ".join(shorten(name, _LONGEST_NAME) for name in fields[:_FIELDS_NAMED])
        names += f" and {beyond:,} more" if beyond > 0 else ""
        super().__init__(
            f"job id {job_id} belongs to a job that differs in {names}; use another id, or the "
            "original values"
        )
        self.fields = tuple(fields)


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
    # Returns who is told of jobs, as of a moment ago.
    routes: Callable[[], Routes] = lambda: Routes({})
    # Whether a job begins a trace that its caller has not begun.
    traces: bool = False

    def create(self, request: JobRequest) -> Job:
        """Store the job as QUEUED and wake its submit step; the same id is the same job.

        Raises what `Validator.validate` and `add` raise.
        """
        return self.add(self.validator.validate(request)).job

    def existing(self, job: Job) -> Job | None:
        """Return the stored job with this id, or None; a rejected request does not count.

        Raises InvalidJobId if the stored job has another tenant or other contents.
        """
        return _same(job, self.store.get(job.id)) or _same(job, self.archived(job.id))

    def for_events(self, metadata: Mapping[str, Json]) -> Mapping[str, Json]:
        """Return the part of a job's metadata that its events carry."""
        if "*" in self.event_metadata:
            return metadata
        return {name: metadata[name] for name in self.event_metadata if name in metadata}

    def for_receivers(self, job: Job) -> Job:
        """Return the job with the states of which its receivers are told.

        Raises RequestRejected for an address of its own for which no keys of the tenant sign.
        """
        routes = self.routes()
        if job.notify and routes.for_jobs(job.tenant) is None:
            raise RequestRejected(
                "notify_unsigned",
                f"notify: tenant {job.tenant} has no keys to sign with; make them with "
                f"`falhook endpoints add --for-jobs --tenant {job.tenant}`",
            )
        return replace(job, owes=routes.owed(job))

    def add(self, draft: DraftJob, known: Known | None = None) -> Created:
        """Put the job's local files into storage, store the job, then wake it.

        A callback that came for this id before, to no record, is adopted: nothing is posted. With
        the id of a stored job, that job is returned as by `repeat`. `known` is what there was of
        the id a moment ago; without it, Redis is asked.

        Raises InvalidJobId for an id of a job with other contents or of another tenant,
        FingerprintMismatch if the fingerprints tell which, RequestRejected for files that have
        changed and for what `for_receivers` refuses, the storage's Failure if they cannot be stored
        now, and what `JobStore.added` raises.
        """
        job = self.prepared(draft.job)
        known = known or self.store.look_up(job.id)
        stored = _same(job, known.job)
        if stored is None and known.archiving:
            stored = _same(job, self.archived(job.id))
        if stored is not None:
            return self.repeat(stored)
        self.validator.staging.put(draft.staged)
        made = self._store_or_adopt(job, known)
        if made is None:  # another process was faster
            return self.repeat(self.existing(job) or job)
        return self.stored(made, new=True)

    def prepared(self, job: Job) -> Job:
        """Return the job of a valid request as its record will have it.

        Raises RequestRejected for what `for_receivers` refuses.
        """
        event_metadata = self.for_events(job.metadata)
        trace = traces.stored(job.traceparent, job.id, begins=self.traces)
        return self.for_receivers(replace(job, event_metadata=event_metadata, traceparent=trace))

    def new_record(self, job: Job) -> NewRecord:
        """Return how the record of a prepared job is stored."""
        return self.store.new_record(job, due=self._due(), event=_CREATED)

    def stored(self, job: Job, *, new: bool) -> Created:
        """Return a job whose record is stored; wake its step if it waits to be sent.

        The sweep has already found one whose wake was lost long ago.
        """
        if new:
            log.info("job.created", job=job.id, endpoint=job.endpoint)
        found = not new and self.store.clock() - job.created_at > LOST_WAKE_AFTER
        if job.state is JobState.QUEUED and not found:
            self.wake(Task.SUBMIT, job.id)
        return Created(job=job, new=new)

    def repeat(self, stored: Job) -> Created:
        """Return the job of a request that was made before; wake its step if it waits to be sent.

        Raises Unconfirmed, a RedisError, if a replica does not have its record.
        """
        if stored.state in UNCONFIRMED:
            self.store.confirm(stored.id)
        return self.stored(stored, new=False)

    def _due(self) -> float:
        return self.store.clock() + LOST_WAKE_AFTER

    def _store_or_adopt(self, job: Job, known: Known) -> Job | None:
        """Store a new job; with the id of an orphan it takes the result that is there.

        Return None if its id has a record meanwhile.
        """
        orphan = find_orphan(self.store, job.id) if known.callbacks else None
        if orphan:
            log.warning("callback.adopted", job=job.id, request_id=orphan.newest.request_id)
            return self.store.get(job.id) if adopt(self.store, job, orphan) else None
        return self.store.added(job, due=self._due(), event=_CREATED)


def _same(job: Job, stored: Job | None) -> Job | None:
    """Return the stored job if it is this one, None if a new one may take its id.

    Raises InvalidJobId for a different job.
    """
    if stored is None or stored.replaceable_by(job.tenant):
        return None
    if stored.tenant != job.tenant:
        # Not a word of a job of another tenant.
        raise InvalidJobId(f"job id {job.id} is taken; use another id, or leave it out")
    if stored.fingerprint and job.fingerprint:
        if fields := _differences(stored.fingerprint, job.fingerprint):
            raise FingerprintMismatch(job.id, fields)
    elif _contents(stored) != _contents(job):
        raise InvalidJobId(
            f"job id {job.id} belongs to another job of {stored.endpoint}; "
            "use another id, or leave it out"
        )
    return stored


def _differences(one: str, other: str) -> Sequence[str]:
    """Return the names that two fingerprints do not have in common."""
    parts, others = json.loads(one), json.loads(other)
    names = {*parts, *others} - {AS_SENT}
    return sorted(name for name in names if parts.get(name) != others.get(name))


def _contents(job: Job) -> tuple[str, object]:
    return job.endpoint, canonical(job.arguments)
