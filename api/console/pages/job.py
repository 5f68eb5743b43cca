"""One job: its clip, its way, what it cost and what can be done with it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from api.console.attempts import attempts_of
from api.console.published import Published
from api.console.rendering import Renderer
from api.console.stretches import bars_of
from api.console.visit import Page, Visit
from api.job_finder import JobFinder
from api.models.file_query import FileQuery
from api.operation import Call
from api.routes.files import Files
from worker.jobs.explanation import reason_text, waiting_for
from worker.jobs.history import history
from worker.jobs.job import Job, JobState
from worker.operations.cancel import OPEN
from worker.operations.retry import ENDED, Retry, resume_state
from worker.storage import Storage
from worker.storage.layout import MANIFEST, published_key

# The details of an event that a person wants to read.
_DETAILS = ("reason", "sentence", "by", "note", "request_id", "wait", "method", "bytes", "said")


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """What a person may do with the job now, and whether fal may bill it."""

    cancel: bool
    retry: bool
    resubmit: bool
    pays: bool
    cost: str

    @classmethod
    def of(cls, job: Job, retry: Retry) -> "Actions":
        """Return the actions on a job."""
        ended = job.state in ENDED and not job.refused
        stored = resume_state(job) if ended else None
        resubmit = (
            ended and stored in {None, JobState.SUBMITTED} and retry.posts(job, resubmit=True)
        )
        return cls(
            cancel=job.state in OPEN,
            retry=ended and stored is not None,
            resubmit=resubmit,
            pays=retry.posts(job),
            cost=str(job.estimate.get("usd", "")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """The handlers of one job."""

    finder: JobFinder
    retry: Retry
    storage: Callable[[], Storage]
    files: Files
    renderer: Renderer

    def show(self, visit: Visit) -> Response:
        """Answer GET /console/jobs/{id}."""
        job = self.finder.find(visit.request.path_params["id"], visit.tenant)
        return self.page(visit, job)

    def page(self, visit: Visit, job: Job, *, notice: str = "", status: int = 200) -> Response:
        """Return the page of a job; `notice` says what became of an action."""
        now, events = self.finder.store.clock(), history(job)
        manifest = self._manifest(job)
        return self.renderer.page(
            visit,
            "job.html",
            status=status,
            notice=notice or _NOTICES.get(visit.query.get("done", ""), ""),
            job=job,
            why=reason_text(job) or waiting_for(job, now=now),
            bars=bars_of(events, now),
            attempts=attempts_of(job, events),
            events=[_told(event) for event in reversed(events)],
            published=Published.of(job, manifest),
            manifest=manifest,
            actions=Actions.of(job, self.retry),
            play=visit.query.get("play", ""),
        )

    async def file(self, visit: Visit) -> Response:
        """Answer GET /console/jobs/{id}/files/{name}, as the API does with a key."""
        query = FileQuery(download=visit.query.get("download") == "1")
        call = Call(
            request=visit.request,
            request_id=visit.request_id,
            key=visit.signed_in.key,
            query=query,
        )
        return await self.files.get_file(call)

    def _manifest(self, job: Job) -> Mapping[str, Any]:
        if job.state is not JobState.PUBLISHED:
            return {}
        content = self.storage().read(published_key(job.id, MANIFEST))
        return dict(json.loads(content)) if content else {}


_NOTICES = {
    "retry": "The job continues.",
    "cancel": "The job is cancelled.",
    "created": "The job is created.",
}


def _told(event: Mapping[str, str]) -> Mapping[str, object]:
    """Return an event with the details that a person wants to read."""
    details = {name: event[name] for name in _DETAILS if event.get(name)}
    moved = event["from"] != event["to"]
    return {
        "at": float(event["at"]),
        "name": event["name"],
        "to": event["to"] if moved else "",
        "step": event.get("step", ""),
        "details": details,
    }


def pages(job: JobPage) -> Sequence[Page]:
    """Return the pages of one job."""
    return (
        Page(
            method="GET",
            path="/console/jobs/{id}/files/{name:path}",
            name="file",
            handler=job.file,
        ),
        Page(method="GET", path="/console/jobs/{id}", name="job", handler=job.show),
    )
