"""Cancels a job before its render.

fal's cancel is a request: a running job may still be rendered, called back and billed
(https://fal.ai/docs/inference-api/queue/cancel). A callback that comes anyway is kept.
"""

from collections.abc import Mapping
from types import MappingProxyType

from worker.errors import Transient
from worker.fal.client import FalClient
from worker.jobs.change import Change
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore

OPEN = frozenset({JobState.QUEUED, JobState.SUBMITTED, JobState.SUBMIT_UNKNOWN})
_ANSWERS = {
    "OK": "fal removed it from its queue; it costs nothing",
    "CANCELLATION_REQUESTED": "fal has been asked to stop; it may render and bill the job anyway, "
    "and its callback is then kept for `falhook retry`",
    "ALREADY_COMPLETED": "fal had rendered it already and bills it; its callback is kept for "
    "`falhook retry`",
    "cancel_unanswered": "fal did not answer, so it may render and bill the job; its callback is "
    "then kept for `falhook retry`",
    "NOT_ASKED": "fal could not be asked, since its answer to the submit was lost; a callback is "
    "kept for `falhook retry`",
}


class NotCancellable(Exception):
    """A job that cannot be cancelled and continues; the message says why."""


def cancel(
    job: Job,
    *,
    store: JobStore,
    fal: FalClient,
    by: str = "`falhook cancel`",
    about: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Set the job to CANCELLED, ask fal at most once to stop, and return a sentence about both.

    `by` names who asked, for the record; `about` are more fields of the event.

    Raises NotCancellable.
    """
    if job.state is JobState.SUBMITTING:
        raise NotCancellable(f"{job.id} is being sent to fal right now; try again in a minute")
    if job.state not in OPEN:
        raise NotCancellable(f"{job.id} is {job.state}, so fal is not working on it")
    # The record comes first: only the process that changes it may ask fal.
    facts = {"step": "cancel", "reason": "cancelled", "sentence": f"cancelled by {by}"}
    change = Change(
        to=JobState.CANCELLED,
        set=facts,
        guard={"attempt": job.attempt},
        due=0,
        event={"name": "moved", **facts, **about},
    )
    if not store.change(job.id, [job.state], change):
        raise NotCancellable(f"{job.id} is no longer {job.state}; look at it and try again")
    if job.state is JobState.QUEUED:
        return f"{job.id} is cancelled before it reached fal; it costs nothing"
    return _ask_fal(job, store, fal)


def _ask_fal(job: Job, store: JobStore, fal: FalClient) -> str:
    try:
        answer = fal.cancel(job.cancel_url) if job.cancel_url else "NOT_ASKED"
    except Transient as failure:
        answer = failure.reason
    store.change(job.id, JobState, Change(event={"name": "cancel_asked", "said": answer}))
    return f"{job.id} is cancelled: {_ANSWERS.get(answer, f'fal answered {answer}')}"
