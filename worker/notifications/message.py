"""The body of a message: the event, and the job as far as a receiver needs it.

It never has a prompt unless the endpoint asks for it, and no address that opens a file by itself:
links are those of the API, which signs an address when it is read.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from worker.errors import Failure
from worker.jobs.change import Event
from worker.jobs.history import history
from worker.jobs.job import Job, JobState
from worker.notifications.endpoint import Endpoint
from worker.notifications.owed_event import OwedEvent
from worker.notifications.schedule import iso
from worker.storage.layout import MANIFEST
from worker.text import shorten
from worker.types import Json

MOST_BYTES = 20_000
_MOST_FILES = 50
_LONGEST_SENTENCE, _LONGEST_PROMPT = 500, 5_000

# Returns what the manifest of a published job says of its files: name → size, hash, type.
Files = Callable[[Job], Mapping[str, Mapping[str, Json]]]


def compose(
    event: OwedEvent,
    job: Job | None,
    endpoint: Endpoint,
    *,
    files: Files,
    links: str,
    about: Endpoint | None = None,
) -> bytes:
    """Return the body that tells the endpoint of the event; it is the same at each attempt.

    `links` is the origin of the API, or empty. `about` is the endpoint that the event is about, if
    it is not about a job.
    """
    if event.endpoint:
        data = _of_endpoint(event, about)
    elif job is None:
        data = {"id": event.job, **_states(event)}
    else:
        data = _of_job(event, job, endpoint, files, links)
    body = _encoded(event, data)
    for name in ("prompt", "files", "metadata"):
        if len(body) <= MOST_BYTES:
            break
        if name in data:
            # A receiver reads it from the API.
            data |= {name: None, f"{name}_left_out": True}
            body = _encoded(event, data)
    return body


def _encoded(event: OwedEvent, data: Mapping[str, Any]) -> bytes:
    content = {"type": event.type, "timestamp": iso(float(event.at)), "data": data}
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="backslashreplace")


def _states(event: OwedEvent) -> dict[str, Any]:
    return {"n": event.n, "state": event.state, "previous_state": event.before or None}


def _of_endpoint(event: OwedEvent, about: Endpoint | None) -> dict[str, Any]:
    data: dict[str, Any] = {"id": event.endpoint, "n": event.n}
    if about is not None:
        data |= {"url": about.url, "description": about.description, "why": about.why}
    return data


def _of_job(
    event: OwedEvent, job: Job, endpoint: Endpoint, files: Files, links: str
) -> dict[str, Any]:
    told = _told(event, job)
    data: dict[str, Any] = {
        "id": job.id,
        **_states(event),
        "tenant": job.tenant,
        "endpoint": job.endpoint,
        "metadata": dict(job.metadata),
        "cost": {"usd": str(job.estimate["usd"]), "estimated": True} if job.estimate else None,
        "reason": told.get("reason", ""),
        "sentence": shorten(told.get("sentence", ""), _LONGEST_SENTENCE),
        "files": _files(job, files, links) if event.state == JobState.PUBLISHED else [],
        "links": {"job": f"{links}/v1/jobs/{job.id}"},
    }
    if endpoint.prompt:
        prompt = job.arguments.get("prompt")
        data["prompt"] = prompt[:_LONGEST_PROMPT] if isinstance(prompt, str) else None
    return data


def _told(event: OwedEvent, job: Job) -> Event:
    """Return what the history says of this change; a long history may have lost it."""
    same = (e for e in history(job) if e.get("at") == event.at and e.get("to") == event.state)
    return next(same, {})


def _files(job: Job, files: Files, links: str) -> Sequence[Mapping[str, Any]]:
    named = job.outputs.get("files")
    names = [str(name) for name in named] if isinstance(named, Mapping | list) else []
    known: Mapping[str, Mapping[str, Json]] = {}
    try:
        known = files(job)
    except Failure:
        # The storage is away: names and links are enough to read them once it is back.
        known = {}
    return [
        {
            "name": name,
            "size": known.get(name, {}).get("bytes"),
            "sha256": known.get(name, {}).get("sha256"),
            "type": known.get(name, {}).get("content_type"),
            "url": f"{links}/v1/jobs/{job.id}/files/{quote(name)}",
        }
        for name in [*names[:_MOST_FILES], MANIFEST]
    ]
