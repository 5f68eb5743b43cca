"""The spans of a job that has ended, from its history.

They have states, reasons and times: no inputs, no addresses, no sentences, which may quote fal.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from worker.jobs.change import Event
from worker.jobs.history import history, present
from worker.jobs.job import Job, JobState
from worker.traces.context import TraceContext

_AT_FAL = frozenset({JobState.SUBMITTED, JobState.SUBMIT_UNKNOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A span of a trace; times are Unix seconds. `error` is a reason code, or empty.

    `waited` is since when the job had waited for it, if it had; `links` are earlier attempts.
    """

    name: str
    id: str
    parent: str
    began: float
    ended: float
    attributes: Mapping[str, str | int | float | bool]
    error: str = ""
    waited: float | None = None
    links: Sequence[str] = ()


def spans_of(job: Job, context: TraceContext) -> Iterator[Span]:
    """Yield the spans of the job's last run, the last of which is the run itself.

    A job that a person continued has one for each run; those after the first are its children.
    """
    events = present(job)
    if not events:
        return
    run = sum(event["name"] == "replayed" for event in history(job))
    first = context.span(job.id)
    own = context.span(job.id, run) if run else first
    yield from _Steps(job=job, context=context, parent=own, run=run).of(events)
    parent = "" if context.parent == first else context.parent
    yield Span(
        name="falhook.job",
        id=own,
        parent=first if run else parent,
        began=_at(events[0]),
        ended=_at(events[-1]),
        attributes=about(job) | {"falhook.state": job.state, "falhook.run": run + 1},
        error="" if job.state is JobState.PUBLISHED else job.reason or str(job.state),
    )


def about(job: Job) -> dict[str, str | int | float | bool]:
    """Return the attributes that all spans of a job have."""
    return {
        "falhook.job": job.id,
        "falhook.endpoint": job.endpoint,
        "falhook.tenant": job.tenant,
    }


@dataclass(slots=True, kw_only=True)
class _Steps:
    """Makes spans of the steps of one run, and of the time that fal had the job."""

    job: Job
    context: TraceContext
    parent: str
    run: int
    # The start that has no end yet, and since when the job waits or is at fal.
    _started: Event | None = None
    _since: float = 0.0
    _waited: float = 0.0
    _rendering: float | None = None
    # Ids of the starts of each step so far.
    _ids: dict[str, list[str]] = field(default_factory=dict)

    def of(self, events: Sequence[Event]) -> Iterator[Span]:
        """Yield the spans of these events."""
        self._since = _at(events[0])
        for event in events:
            if event["name"] == "started":
                yield from self._end(event, "worker_lost")
                self._started, self._waited = event, self._since
            elif event["name"] in {"moved", "retried"}:
                ended = event["name"] == "moved" and event["to"] != JobState.FAILED
                yield from self._end(event, "" if ended else event.get("reason", "failed"))
                yield from self._rendered(event)
                self._since = _at(event)

    def _end(self, event: Event, error: str) -> Iterator[Span]:
        if self._started is None:
            return
        step = self._started.get("step", "")
        earlier = self._ids.setdefault(step, [])
        number = len(earlier) + 1
        found = self._span(step, number, _at(self._started), event, error)
        self._started = None
        yield found
        earlier.append(found.id)

    def _span(self, name: str, number: int, began: float, event: Event, error: str) -> Span:
        return Span(
            name=name,
            id=self.context.span(self.job.id, self.run, name, number),
            parent=self.parent,
            began=began,
            ended=_at(event),
            attributes=about(self.job) | {"falhook.try": number},
            error=error,
            waited=None if name == "falhook.render" else self._waited,
            links=tuple(self._ids.get(name, ())),
        )

    def _rendered(self, event: Event) -> Iterator[Span]:
        """Yield the span of fal's work once it ends: nothing else sees it."""
        if event["to"] in _AT_FAL:
            self._rendering = self._rendering or _at(event)
        elif self._rendering is not None:
            ended = event["to"] == JobState.RENDERED
            error = "" if ended else event.get("reason", str(event["to"]))
            name = "falhook.render"
            found = self._span(
                name, len(self._ids.get(name, ())) + 1, self._rendering, event, error
            )
            self._rendering = None
            yield found
            self._ids.setdefault(name, []).append(found.id)


def _at(event: Event) -> float:
    return float(event["at"])
