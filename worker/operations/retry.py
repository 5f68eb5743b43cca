"""Replay: a job that ended without a publication goes on from what is stored.

Nothing here pays twice: a job goes back to QUEUED by itself only where fal surely has none of its
attempts; wherever fal may have rendered, a new POST is somebody's own decision (`resubmit`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from worker.fal.result import publishable
from worker.jobs.change import RESET, Change
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore

ENDED = frozenset({JobState.FAILED, JobState.EXPIRED, JobState.CANCELLED})

# What an attempt left on the record, as it is before the first one.
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


class NotRetryable(Exception):
    """The job stays as it is; the message says why, and what can be done."""


def resume_state(job: Job) -> JobState | None:
    """The state from which an ended job can go on without a payment; None if there is none."""
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
    """Brings ended jobs back, due at once: the next sweep wakes their step, within seconds."""

    store: JobStore

    def retry(self, job: Job) -> JobState:
        """The state the job goes on from. Raises NotReplayed if it cannot go on for free."""
        _require_ended(job)
        to = resume_state(job)
        if to is None:
            raise NotRetryable(
                f"{job.id} has nothing stored to go on from ({job.state}: {job.reason}). "
                "`falhook retry --resubmit` sends it to fal again, which costs again"
            )
        return self._move(job, to, {"looked_up": 0})

    def resubmit(self, job: Job) -> JobState:
        """QUEUED, to be posted to fal as a new attempt, which costs again.

        Raises NotReplayed for a job that has not ended, that was refused when it was made, or
        whose result is stored already.
        """
        _require_ended(job)
        if resume_state(job) not in {None, JobState.QUEUED, JobState.SUBMITTED}:
            raise NotRetryable(
                f"{job.id} has its result stored and goes on without a new payment: "
                "leave --resubmit out"
            )
        return self._move(job, JobState.QUEUED, FRESH)

    def _move(self, job: Job, to: JobState, also: Mapping[str, object]) -> JobState:
        change = Change(
            to=to,
            set={**RESET, "step": "", "reason": "", "sentence": "", **also},
            guard={"attempt": job.attempt},
            due=self.store.clock(),
            event={"name": "replayed", "reason": job.reason, "attempt": str(job.attempt)},
        )
        if not self.store.change(job.id, [job.state], change):
            raise NotRetryable(f"{job.id} is no longer {job.state}: somebody else was faster")
        return to


def _require_ended(job: Job) -> None:
    if job.refused:
        raise NotRetryable(
            f"{job.id} was refused before it became a job ({job.reason}) and holds no inputs: "
            "send it again corrected, under the same id if you like"
        )
    if job.state is JobState.PUBLISHED:
        raise NotRetryable(f"{job.id} is PUBLISHED; there is nothing to do again")
    if job.state not in ENDED:
        raise NotRetryable(
            f"{job.id} is {job.state} and on its way; `falhook watch {job.id}` follows it"
        )
