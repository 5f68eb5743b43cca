"""Cancelling: a job that need not be rendered any more.

fal's cancel is a wish: a running job may be rendered, called back and billed all the same
(https://fal.ai/docs/inference-api/queue/cancel). A callback that comes anyway is kept.
"""

from dataclasses import dataclass

from worker.errors import Transient
from worker.fal.client import FalClient
from worker.jobs.change import Change
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore

OPEN = frozenset({JobState.QUEUED, JobState.SUBMITTED, JobState.SUBMIT_UNKNOWN})


class NotCancellable(Exception):
    """The job goes on; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """Ends jobs before their render; fal is asked once at most."""

    store: JobStore
    fal: FalClient

    def cancel(self, job: Job) -> str:
        """The job is CANCELLED; the sentence says what fal made of it. Raises NotCancelled."""
        if job.state is JobState.SUBMITTING:
            raise NotCancellable(
                f"{job.id} is being sent to fal this moment; try again in a minute"
            )
        if job.state not in OPEN:
            raise NotCancellable(f"{job.id} is {job.state}: fal has no work on it any more")
        # The record first: whoever moves it is the one who asks fal, and the only one.
        why = {"step": "cancel", "reason": "cancelled", "sentence": "cancelled by `falhook cancel`"}
        change = Change(
            to=JobState.CANCELLED,
            set=why,
            guard={"attempt": job.attempt},
            due=0,
            event={"name": "moved", **why},
        )
        if not self.store.change(job.id, [job.state], change):
            raise NotCancellable(f"{job.id} is no longer {job.state}; look at it and try again")
        if job.state is JobState.QUEUED:
            return f"{job.id} is cancelled before it reached fal; it costs nothing"
        return self._ask(job)

    def _ask(self, job: Job) -> str:
        try:
            said = self.fal.cancel(job.cancel_url) if job.cancel_url else "NOT_ASKED"
        except Transient as failure:
            said = failure.reason
        self.store.change(job.id, JobState, Change(event={"name": "cancel_asked", "said": said}))
        told = {
            "OK": "fal took it out of its queue; it costs nothing",
            "CANCELLATION_REQUESTED": "fal has been asked to stop it; it may render it and bill it "
            "all the same, and what comes is kept for `falhook retry`",
            "ALREADY_COMPLETED": "fal had rendered it already and bills it; its callback is kept "
            "for `falhook retry`",
            "NOT_ASKED": "fal could not be asked, since its answer to the submit was lost; what "
            "comes is kept for `falhook retry`",
        }
        return f"{job.id} is cancelled: {told.get(said, f'fal answered {said}')}"
