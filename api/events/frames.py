"""The lines of an event stream: https://html.spec.whatwg.org/multipage/server-sent-events.html"""

import json
from collections.abc import Mapping

from api.events.entries import Entry
from api.events.positions import EventId
from api.models.event import JobEvent


def job_event(entry: Entry) -> bytes:
    """Return an event of a job, which a browser gets as a message."""
    line = JobEvent.of(str(entry.id), entry.event).as_json()
    return f"id: {entry.id}\ndata: {line}\n\n".encode()


def control(name: str, **data: object) -> bytes:
    """Return an event about the stream itself; it changes no id."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


def hello(retry: float, last: EventId | None) -> bytes:
    """Return how a client connects again: after how many seconds, and after which event."""
    return f"retry: {retry * 1000:.0f}\n".encode() + _id(last)


def ping(last: EventId | None) -> bytes:
    """Return a comment; a client that connects again goes on after `last`, but gets no event."""
    return b": ping\n" + _id(last)


def _id(last: EventId | None) -> bytes:
    return f"id: {last}\n\n".encode() if last else b"\n"


HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    # nginx would hold events back until its buffer is full.
    "X-Accel-Buffering": "no",
}
