"""The history of a job: its events, which the record holds as lines of JSON.

A line leaves out what follows from the others: the job's id and tenant, the state before, and the
state after if it is the same.
"""

import json
from collections.abc import Sequence

from worker.jobs.change import Event
from worker.jobs.job import Job
from worker.jobs.tenant import DEFAULT

# Events with which a job begins, or begins again; what came before them is past.
_BEGINNINGS = frozenset({"created", "replayed"})


def history(job: Job) -> Sequence[Event]:
    """Return the events of the job, the oldest first; a very long history has lost its first.

    A line that is no event is returned as one that is called `unreadable`.
    """
    events = []
    state, at = "", "0"
    tenant = {} if job.tenant == DEFAULT else {"tenant": job.tenant}
    # Not splitlines(): texts of fal may contain U+2028 and other ends of lines, which JSON keeps.
    for line in job.history.removesuffix("\n").split("\n") if job.history else ():
        kept = _kept(line)
        to, at = kept.pop("to", state), kept.pop("at", at)
        events.append(
            {"id": job.id, "job": job.id, "at": at, "from": state, "to": to} | tenant | kept
        )
        state = to
    return events


def _kept(line: str) -> dict[str, str]:
    try:
        event: dict[str, str] = json.loads(line)
        _ = float(event["at"]), event["name"]
    except (ValueError, KeyError, TypeError):
        return {"name": "unreadable"}
    return event


def last_event(job: Job) -> Event | None:
    """Return the newest event of the job; None if it has none."""
    return next(reversed(history(job)), None)


def present(job: Job) -> Sequence[Event]:
    """Return the events since the job was created or last continued.

    A job that failed and was continued has not failed.
    """
    events = history(job)
    began = max((at for at, each in enumerate(events) if each["name"] in _BEGINNINGS), default=0)
    return events[began:]
