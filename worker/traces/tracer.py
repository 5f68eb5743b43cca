"""Sends the traces of jobs that have ended, without making anything wait for it."""

import atexit
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from webhook.log import get_logger
from worker.errors import ConfigurationError
from worker.jobs.job import FINAL, Job, JobState
from worker.traces.context import TraceContext, parse
from worker.traces.spans import Span, about, spans_of

SETTING = "FALHOOK_TRACES_URL"
# Jobs and deliveries that wait to be sent; beyond them they are dropped, and counted.
MOST = 2_000
# Seconds between two log lines about spans that were dropped, and at the end of a process.
_QUIET, _STOP = 60.0, 2.0
# Seconds for which more are gathered for one request, and its most. A request takes more processor
# time than the spans of three jobs.
_GATHER, _TOGETHER = 0.5, 64

log = get_logger()

# Spans, each with its trace.
Spans = Sequence[tuple[TraceContext, Span]]
Export = Callable[[Spans], bool]
# The id of a job that has ended, or a span of one.
_Waiting = str | tuple[TraceContext, Span]


class Answered(Protocol):
    """What came of an attempt to tell a receiver."""

    @property
    def status(self) -> int: ...
    @property
    def seconds(self) -> float: ...


class ExtraMissing(ConfigurationError):
    """Traces are wanted, and what sends them is not installed."""


class Tracer:
    """Sends the spans of jobs in a thread of its own; `read` returns the record of a job.

    `export` sends spans and returns whether they arrived. A collector that is away costs nothing
    but its spans.
    """

    def __init__(
        self, export: Export, read: Callable[[str], Job | None], *, most: int = MOST
    ) -> None:
        self._export = export
        self._read = read
        self._waiting: queue.Queue[_Waiting | None] = queue.Queue(most)
        self._lock = threading.Lock()
        self._dropped = 0
        self._told = float("-inf")
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
        self._thread.start()
        atexit.register(self.stop)

    def ended(self, job: Job, state: JobState) -> None:
        """Have the spans of a job sent that has moved to this state, if it is an end."""
        if state in FINAL and _sampled(job):
            self._put(job.id)

    def told(self, job: Job, state: str, tries: int, began: float, answer: Answered) -> None:
        """Have the span of a delivery sent, if it is of an end that `ended` has seen."""
        context = _sampled(job)
        if context is None or state not in FINAL or state == JobState.CANCELLED:
            return
        success = 200 <= answer.status < 300  # noqa: PLR2004
        span = Span(
            name="falhook.notify",
            id=context.span(job.id, "notify", state, tries, began),
            parent=context.span(job.id),
            began=began,
            ended=began + answer.seconds,
            attributes=about(job)
            | {"falhook.try": tries, "http.response.status_code": answer.status},
            error="" if success else "undelivered",
        )
        self._put((context, span))

    @property
    def dropped(self) -> int:
        """How many were dropped since the last line about it."""
        with self._lock:
            return self._dropped

    def stop(self) -> None:
        """Send what waits, for at most two seconds."""
        try:
            self._waiting.put_nowait(None)
        except queue.Full:
            return
        self._thread.join(_STOP)

    def _put(self, what: _Waiting) -> None:
        try:
            self._waiting.put_nowait(what)
        except queue.Full:
            self._drop(1)

    def _drop(self, number: int) -> None:
        with self._lock:
            self._dropped += number
            if time.monotonic() - self._told < _QUIET:
                return
            dropped, self._dropped, self._told = self._dropped, 0, time.monotonic()
        log.warning("traces.dropped", traces=dropped)

    def _run(self) -> None:
        last: _Waiting | None = ""
        while last is not None:
            *_, last = found = list(self._gathered())
            self._send([each for each in found if each is not None])

    def _gathered(self) -> Iterator[_Waiting | None]:
        """Wait for one, then yield what else comes soon; None is the end of all."""
        yield (what := self._waiting.get())
        until = time.monotonic() + _GATHER
        for _ in range(_TOGETHER - 1):
            left = until - time.monotonic()
            if what is None or left <= 0:
                return
            try:
                yield (what := self._waiting.get(timeout=left))
            except queue.Empty:
                return

    def _send(self, gathered: Sequence[_Waiting]) -> None:
        try:
            spans = [span for each in gathered for span in self._spans(each)]
            sent = not spans or self._export(spans)
        except Exception:  # noqa: BLE001  # Redis or the collector; the drop is counted
            sent = False
        if not sent:
            self._drop(len(gathered))

    def _spans(self, what: _Waiting) -> Spans:
        if not isinstance(what, str):
            return [what]
        job = self._read(what)
        found = _sampled(job) if job else None
        return [(found, span) for span in spans_of(job, found)] if job and found else []


def _sampled(job: Job) -> TraceContext | None:
    context = parse(job.traceparent)
    return context if context and context.sampled else None


def open_tracer(url: str, read: Callable[[str], Job | None]) -> Tracer | None:
    """Return what sends traces to the collector at `url`; None, and nothing imported, without one.

    Raises ExtraMissing.
    """
    if not url:
        return None
    try:
        from worker.traces.otlp import exporter  # noqa: PLC0415  # only if it is wanted
    except ImportError as error:
        raise ExtraMissing(
            f"{SETTING} is set, and {error.name} is not installed: install falhook[otel], or "
            "remove the setting"
        ) from None
    return Tracer(exporter(url), read)
