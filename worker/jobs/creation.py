"""The change that writes the record of a new job, also over that of a rejected creation."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from webhook.contract import Task
from worker.jobs.change import Change, Event
from worker.jobs.job import DEFAULTS, Job, JobState
from worker.jobs.tenant import DEFAULT, InvalidTenant

# Fields of the record of a rejected creation, which was never claimed.
REFUSED = {"step": Task.CREATE, "attempt": 0, "posted": 0}


def creations(
    job: Job, *, due: float, event: Event, now: float
) -> Iterator[tuple[Sequence[JobState] | None, Change]]:
    """Yield what to try in this order: the states to change from, None for no record, and how.

    What follows the first replaces records for which `Job.replaceable_by` is true.
    """
    values = _values(job, now)
    # An absent field has its default.
    given = {name: value for name, value in values.items() if value != DEFAULTS.get(name, ...)}
    new = Change(to=job.state, set=given, due=due, event=event)
    yield None, new
    for guard in _replaced_by(job.tenant):
        yield [JobState.FAILED], replace(new, set=values, guard=guard)


def _values(job: Job, now: float) -> Mapping[str, object]:
    values: dict[str, object] = {
        "id": job.id,
        "endpoint": job.endpoint,
        "fingerprint": job.fingerprint,
        "arguments": job.arguments,
        "metadata": job.metadata,
        "event_metadata": job.event_metadata,
        "options": job.options,
        "estimate": job.estimate,
        "notify": job.notify,
        "owes": job.owes,
        "traceparent": job.traceparent,
        "needs_file": job.needs_file,
        "step": job.step,
        "reason": job.reason,
        "sentence": job.sentence,
        "attempt": job.attempt,
        "posted": job.posted,
        "submitted_at": job.submitted_at,
        "looked_up": 0,
        "callback": "",
        "created_at": now,
    }
    if job.tenant != DEFAULT:
        values["tenant"] = job.tenant
    return values


def _replaced_by(tenant: str) -> Iterator[Mapping[str, object]]:
    """Yield the guards of the records that a new job of the tenant replaces."""
    yield {**REFUSED, "tenant": "" if tenant == DEFAULT else tenant}
    if tenant != DEFAULT:
        yield {**REFUSED, "tenant": "", "reason": InvalidTenant.reason}
