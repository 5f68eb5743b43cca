"""The list of jobs, and the rows that a page asks for again when they have changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Self
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from api.console.rendering import Renderer
from api.console.visit import Page, Visit
from api.problems import ProblemError
from webhook.contract import JOB_ID
from worker.catalogue.catalogue import Catalogue
from worker.jobs.explanation import reason_text, waiting_for
from worker.jobs.filter import Filter, fields_of
from worker.jobs.filtered_listing import filtered_page
from worker.jobs.job import Job, JobState
from worker.jobs.listing import read
from worker.jobs.store import JobStore

ROWS = 50
_MOST_IDS = 100
_METADATA = "metadata."


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One job of the list."""

    job: Job
    title: str
    why: str
    poster: str

    @classmethod
    def of(cls, job: Job, now: float) -> Self:
        """Return the row of a job; `now` is Unix seconds."""
        title = job.arguments.get("prompt") if isinstance(job.arguments, Mapping) else None
        return cls(
            job=job,
            title=title if isinstance(title, str) else "",
            why=reason_text(job) or waiting_for(job, now=now),
            poster=poster_of(job),
        )


def poster_of(job: Job) -> str:
    """Return the name of the job's picture; "" if it has none."""
    files = job.outputs.get("files") if job.state is JobState.PUBLISHED else ()
    names = list(files) if isinstance(files, list | dict) else []
    pictures = [name for name in names if str(name).endswith((".jpg", ".jpeg", ".png", ".webp"))]
    return next((str(name) for name in pictures if str(name).startswith("poster")), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the address says of the jobs that are wanted."""

    state: JobState | None = None
    endpoint: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    cursor: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        """Return the choice of an address; what cannot be a choice counts as none."""
        state, name = query.get("state", ""), query.get("name", "").strip()
        metadata = {
            given.removeprefix(_METADATA): value
            for given, value in query.items()
            if given.startswith(_METADATA)
        }
        if name:
            metadata[name] = query.get("value", "").strip()
        return cls(
            state=JobState(state) if state in set(JobState) else None,
            endpoint=query.get("endpoint", "").strip()[:200],
            metadata=metadata,
            cursor=query.get("cursor", ""),
        )

    @property
    def is_narrow(self) -> bool:
        """Whether only some jobs are wanted."""
        return bool(self.state or self.endpoint or self.metadata)

    def address(self, **changes: str) -> str:
        """Return the query of this choice, with some parts replaced; an empty part is left out."""
        parts = {
            "state": self.state or "",
            "endpoint": self.endpoint,
            **{f"{_METADATA}{name}": value for name, value in self.metadata.items()},
            **changes,
        }
        return urlencode({name: value for name, value in parts.items() if value})

    def accepts(self, job: Job, tenant: str) -> bool:
        """Return whether the job is wanted."""
        wanted = Filter(
            tenant=tenant,
            state=self.state,
            endpoint=self.endpoint or None,
            metadata=self.metadata,
        )
        return wanted.accepts(fields_of(job))


@dataclass(frozen=True, slots=True, kw_only=True)
class JobList:
    """The handlers of the list."""

    store: JobStore
    catalogue: Catalogue
    renderer: Renderer

    def show(self, visit: Visit) -> Response:
        """Answer GET /console/jobs."""
        wanted = visit.query.get("id", "").strip()
        if JOB_ID.fullmatch(wanted):
            return RedirectResponse(f"/console/jobs/{wanted}", HTTPStatus.SEE_OTHER)
        choice = Choice.of(visit.query)
        try:
            found = filtered_page(
                self.store.redis,
                tenant=visit.tenant,
                state=choice.state,
                endpoint=choice.endpoint or None,
                metadata=choice.metadata,
                cursor=choice.cursor,
                limit=ROWS,
            )
        except ValueError:
            detail = "the address has a cursor that no list returned: begin at the first page"
            raise ProblemError("bad_cursor", detail) from None
        now = self.store.clock()
        return self.renderer.page(
            visit,
            "jobs.html",
            rows=[Row.of(job, now) for job in found.jobs],
            choice=choice,
            cursor=found.cursor,
            endpoints=[model.endpoint for model in self.catalogue.search("")],
        )

    def rows(self, visit: Visit) -> Response:
        """Answer GET /console/jobs/rows: those of `ids` that belong to the tenant."""
        ids = [each for each in visit.query.get("ids", "").split(",") if JOB_ID.fullmatch(each)]
        choice, now = Choice.of(visit.query), self.store.clock()
        jobs = [
            job for job in read(self.store.redis, ids[:_MOST_IDS]) if job.tenant == visit.tenant
        ]
        return self.renderer.page(
            visit,
            "rows.html",
            rows=[Row.of(job, now) for job in jobs],
            wanted={job.id for job in jobs if choice.accepts(job, visit.tenant)},
        )


def pages(jobs: JobList) -> Sequence[Page]:
    """Return the pages of the list."""
    return (
        Page(method="GET", path="/console/jobs", name="jobs", handler=jobs.show),
        Page(method="GET", path="/console/jobs/rows", name="rows", handler=jobs.rows),
    )
