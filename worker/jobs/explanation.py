"""Why a job waits or ended, in words."""

from collections.abc import Collection, Mapping, Sequence

from webhook.contract import Queue
from worker.jobs.history import last_event
from worker.jobs.job import FINAL, Job, JobState

# The queue whose workers take a job in one of these states.
_QUEUES: Mapping[JobState, Queue] = {
    JobState.QUEUED: Queue.SUBMIT,
    JobState.RENDERED: Queue.PUBLISH,
    JobState.DOWNLOADED: Queue.MEDIA,
    JobState.TAGGED: Queue.PUBLISH,
}
# Seconds of waiting from which it is asked whether there is a worker, and from which it is said.
_LONG_WAIT, _LONGEST_WAIT = 15.0, 60.0


def reason_text(job: Job) -> str:
    """Return why the job ended without a publication: code, step and sentence; "" if it did not."""
    if not job.reason:
        return ""
    step = job.step.removeprefix("falhook.")
    return f"{job.reason}{f' (at {step})' if step else ''}: {job.sentence}"


def waiting_for(job: Job, *, now: float, unserved: Collection[Queue] = ()) -> str:
    """Return why the job waits instead of moving on; "" if it does not.

    `now` is Unix seconds, `unserved` are queues without a worker.
    """
    if job.state in FINAL:
        return ""
    last = last_event(job)
    reason = job.reason or (last.get("reason") if last and last["name"] == "retried" else "")
    if reason:
        return f"waits: {reason}"
    if (queue := awaited_queue(job, now=now)) in unserved:
        return f"waits: no worker serves {queue}; start one (see the Procfile)"
    if awaited_queue(job, now=now, patience=_LONGEST_WAIT):
        return "waits for a worker for more than a minute; `falhook check` shows which run"
    return ""


def awaited_queue(job: Job, *, now: float, patience: float = _LONG_WAIT) -> Queue | None:
    """Return the queue in which the job has waited for a worker for `patience` seconds."""
    waited = min(now - job.updated_at, now - job.lease_until)
    return _QUEUES.get(job.state) if waited > patience else None


def reasons(jobs: Sequence[Job], *, now: float) -> Sequence[str]:
    """Return the reason code of each job, or why it waits; "" if there is neither."""
    return [waiting_for(job, now=now) or job.reason for job in jobs]
