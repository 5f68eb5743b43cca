"""The attempts of a job at fal, from its history."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from worker.jobs.change import Event
from worker.jobs.job import AWAITING, Job, JobState


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One POST to fal: when it was sent, in Unix seconds, its request, and how it ended."""

    number: int
    sent_at: float
    request_id: str = ""
    ended_at: float = 0.0
    outcome: str = ""


def attempts_of(job: Job, events: Sequence[Event]) -> Sequence[Attempt]:
    """Return the attempts that the history still has, the oldest first."""
    found: list[Attempt] = []
    for event in events:
        to, at = event["to"], float(event["at"])
        if to == JobState.SUBMITTING != event["from"]:
            found.append(Attempt(number=len(found) + 1, sent_at=at))
        if not found:
            continue
        last = found[-1]
        if request_id := event.get("request_id"):
            last = replace(last, request_id=request_id)
        if event["from"] in AWAITING and to not in AWAITING:
            outcome = f"{to} {event.get('reason', '')}".strip()
            last = replace(last, ended_at=at, outcome=outcome)
        found[-1] = last
    return [
        replace(each, number=job.attempt - len(found) + place)
        for place, each in enumerate(found, start=1)
    ]
