"""Continues jobs that ended without a publication from what is stored.

A retry never pays twice: it returns a job to QUEUED only if fal surely has none of its attempts.
If fal may have rendered it, a new POST needs an explicit `resubmit`. Either POST may be billed, so
callers ask first: see `Retry.posts`. None is sent for an endpoint that fal has withdrawn.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from worker.catalogue.catalogue import Catalogue
from worker.catalogue.errors import UnknownEndpoint, WithdrawnEndpoint
from worker.fal.result import publishable
from worker.jobs.change import RESET, Change
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore

ENDED = frozenset({JobState.FAILED, JobState.EXPIRED, JobState.CANCELLED})

# The record's fields of an attempt, reset to their values before the first one.
FRESH: Mapping[str, object] = {
    "posted": 0,
    "looked_up": 0,
    "callback": "",
    "request_id": "",
    "response_url": "",
    "cancel_url": "",
    "submitted_at": 0.0,
    "payload": None,
    "source": {},
    "outputs": {},
}


# Fields of an event that say who acted and why; an operation without a person has none.
NOBODY: Mapping[str, str] = MappingProxyType({})


class NotRetryable(Exception):
    """A job that cannot continue and is not changed; the message says why, and what to do."""


def resume_state(job: Job) -> JobState | None:
    """Return the state from which an ended job continues; None if fal may have rendered it.

    QUEUED means that fal certainly never had it, and that the job is sent.
    """
    if job.outputs:
        return JobState.TAGGED
    if job.source:
        return JobState.DOWNLOADED
    if publishable(job.payload, needs_file=bool(job.needs_file)):
        return JobState.RENDERED
    if not (job.posted or job.callback or job.request_id):
        return JobState.QUEUED
    # fal may still have the result: one more GET costs nothing.
    unfetched = job.state is JobState.EXPIRED or job.reason.startswith("result_")
    return JobState.SUBMITTED if unfetched and job.request_id else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Continues ended jobs; the next sweep wakes their step, within seconds.

    `catalogue` returns the endpoints; it is called only for jobs that would be sent to fal.
    """

    store: JobStore
    catalogue: Callable[[], Catalogue] = Catalogue.load

    def posts(self, job: Job, *, resubmit: bool = False) -> bool:
        """Return whether `retry`, or `resubmit`, sends the job to fal, which may bill it."""
        if job.state not in ENDED or job.refused:
            return False
        to = resume_state(job)
        sends = to is JobState.QUEUED or (resubmit and to in {None, JobState.SUBMITTED})
        return sends and self._withdrawn(job) is None

    def retry(self, job: Job, *, about: Mapping[str, str] = NOBODY) -> JobState:
        """Let the job continue and return its new state, QUEUED if fal never had it.

        `about` says who acts and why, as fields of the event. Raises NotRetryable.
        """
        _require_ended(job)
        to = resume_state(job)
        if to is None:
            raise NotRetryable(
                f"{job.id} has nothing stored to continue from ({job.state}: {job.reason}); "
                f"`falhook retry {job.id} --resubmit` sends it to fal again, which may cost again"
            )
        if to is JobState.QUEUED:
            self._require_served(job)
        return self._move(job, to, {"looked_up": 0}, about)

    def resubmit(self, job: Job, *, about: Mapping[str, str] = NOBODY) -> JobState:
        """Set the job to QUEUED for a new attempt, which may cost again, and return that state.

        Raises NotRetryable for a job that has not ended, was rejected at creation, whose result is
        stored, or whose endpoint fal has withdrawn.
        """
        _require_ended(job)
        if resume_state(job) not in {None, JobState.QUEUED, JobState.SUBMITTED}:
            raise NotRetryable(
                f"{job.id} has its result stored and continues without a new payment: "
                "remove --resubmit"
            )
        self._require_served(job)
        return self._move(job, JobState.QUEUED, FRESH, about)

    def _require_served(self, job: Job) -> None:
        if withdrawn := self._withdrawn(job):
            raise NotRetryable(f"{job.id} was not sent: {withdrawn.sentence}") from withdrawn

    def _withdrawn(self, job: Job) -> WithdrawnEndpoint | None:
        try:
            self.catalogue().find(job.endpoint).require_not_withdrawn()
        except UnknownEndpoint:
            return None  # of a job that was created without checks, or by another catalogue
        except WithdrawnEndpoint as withdrawn:
            return withdrawn
        return None

    def _move(
        self, job: Job, to: JobState, fields: Mapping[str, object], about: Mapping[str, str]
    ) -> JobState:
        change = Change(
            to=to,
            set={**RESET, "step": "", "reason": "", "sentence": "", **fields},
            guard={"attempt": job.attempt},
            due=self.store.clock(),
            event={
                "name": "replayed",
                "reason": job.reason,
                "attempt": str(job.attempt),
                **about,
            },
        )
        if not self.store.change(job.id, [job.state], change):
            raise NotRetryable(f"{job.id} is no longer {job.state}: another command was faster")
        return to


def _require_ended(job: Job) -> None:
    if job.refused:
        raise NotRetryable(
            f"{job.id} was rejected at creation ({job.reason}) and has no inputs: submit a "
            "corrected request; it may use the same id"
        )
    if job.state is JobState.PUBLISHED:
        raise NotRetryable(f"{job.id} is PUBLISHED; there is nothing to retry")
    if job.state not in ENDED:
        raise NotRetryable(
            f"{job.id} is {job.state} and has not ended; `falhook watch {job.id}` follows it"
        )
