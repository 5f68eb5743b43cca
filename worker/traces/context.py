"""The trace of a job, as the record has it: a traceparent of https://www.w3.org/TR/trace-context/.

The record of a job that nobody else traces begins its trace: the parent that it names is the job's
own span. Ids of spans follow from the job, so that nothing but these 55 characters is stored.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass

_FORM = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16
_SAMPLED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceContext:
    """A trace and the span from which a job came, in hexadecimal digits."""

    trace: str
    parent: str
    sampled: bool

    @property
    def text(self) -> str:
        """The context as a traceparent of 55 characters."""
        return f"00-{self.trace}-{self.parent}-{int(self.sampled):02x}"

    def span(self, *parts: object) -> str:
        """Return the id of a span of this trace; the same parts are the same span."""
        text = " ".join(map(str, (self.trace, *parts)))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def parse(traceparent: object) -> TraceContext | None:
    """Return the context; None for anything else, which is ignored as the standard asks."""
    found = _FORM.fullmatch(traceparent) if isinstance(traceparent, str) else None
    if found is None or found[1] == _NO_TRACE or found[2] == _NO_SPAN:
        return None
    return TraceContext(trace=found[1], parent=found[2], sampled=bool(int(found[3], 16) & _SAMPLED))


def begun(job_id: str) -> TraceContext:
    """Return the context of a job that begins a trace."""
    context = TraceContext(trace=secrets.token_hex(16), parent=_NO_SPAN, sampled=True)
    return TraceContext(trace=context.trace, parent=context.span(job_id), sampled=True)


def stored(given: object, job_id: str, *, begins: bool) -> str:
    """Return what the record gets: the caller's context, a new one if `begins`, or nothing."""
    context = parse(given) or (begun(job_id) if begins else None)
    return context.text if context else ""
