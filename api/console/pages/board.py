"""The board: what is going on, and what needs somebody first."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus

from starlette.responses import RedirectResponse, Response

from api.console.pages.job_list import Row
from api.console.rendering import Renderer
from api.console.visit import Page, Visit
from api.problems import ProblemError
from webhook.contract import Queue
from worker.jobs.days import ends, spending
from worker.jobs.deployment import swept_at
from worker.jobs.failures import FailureGroup, failure_groups
from worker.jobs.filtered_listing import filtered_page
from worker.jobs.job import AWAITING, FINAL, JobState
from worker.jobs.listing import count
from worker.jobs.oldest import oldest
from worker.jobs.store import JobStore
from worker.operations.redrive import Redrives

_ROWS = 6
# Seconds: a sweep comes every 5 s; a job waits so long only without a worker.
_SWEPT, _WAITED = 30.0, 300.0
_OPEN = [state for state in JobState if state not in FINAL]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """One thing that needs a person: what it is, and the page that helps."""

    text: str
    address: str
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """The handler of the board; `waiting` counts the messages in a queue."""

    store: JobStore
    redrives: Redrives
    waiting: Callable[[Queue], int]
    renderer: Renderer

    def show(self, visit: Visit) -> Response:
        """Answer GET /console."""
        redis, tenant, now = self.store.redis, visit.tenant, self.store.clock()
        counts = count(redis, list(JobState), tenant=tenant)
        since = oldest(redis, _OPEN, tenant)
        ended = ends(redis, until=now, tenant=tenant)
        groups = failure_groups(redis, tenant)
        today = [each for each in spending(redis, until=now, days=1) if each.tenant == tenant]
        recent = filtered_page(redis, tenant=tenant, limit=_ROWS).jobs
        return self.renderer.page(
            visit,
            "board.html",
            counts=counts,
            open_states=_OPEN,
            since=since,
            ended=ended,
            at_fal=sum(counts[state] for state in AWAITING),
            media=self.waiting(Queue.MEDIA),
            clips=sum(each.clips for each in today),
            usd=sum((each.usd for each in today), Decimal(0)),
            first=list(self._attention(counts, since, groups, now)),
            runs=self.redrives.going_on(tenant),
            rows=[Row.of(job, now) for job in recent],
        )

    def _attention(
        self,
        counts: Mapping[JobState, int],
        since: Mapping[JobState, float],
        groups: Sequence[FailureGroup],
        now: float,
    ) -> Iterator[Attention]:
        swept = swept_at(self.store.redis)
        if swept is None or now - swept > _SWEPT:
            text = "No sweep has run for a while: start beat, and a worker of the callbacks queue."
            yield Attention(text=text, address="/console/workers", link="Workers")
        for state in (JobState.QUEUED, JobState.RENDERED, JobState.DOWNLOADED, JobState.TAGGED):
            if now - since.get(state, now) > _WAITED:
                text = f"A job has been {state} for more than {_WAITED / 60:.0f} minutes."
                address = f"/console/jobs?state={state}"
                yield Attention(text=text, address=address, link="These jobs")
        if lost := counts[JobState.SUBMIT_UNKNOWN]:
            text = f"{lost:,} may be at fal without an answer: their callbacks settle that."
            address = f"/console/jobs?state={JobState.SUBMIT_UNKNOWN}"
            yield Attention(text=text, address=address, link="These jobs")
        for group in groups[:3]:
            where = group.endpoint or "several endpoints"
            text = f"{group.jobs:,} ended with {group.reason}: {where}"
            yield Attention(text=text, address=f"/console/failures/{group.id}", link="Look")


def _elsewhere(visit: Visit) -> Response:
    if not visit.request.path_params["rest"]:
        return RedirectResponse("/console", HTTPStatus.SEE_OTHER)
    raise ProblemError("not_found", "the console has no such page")


def pages(board: Board) -> Sequence[Page]:
    """Return the board, and behind all other pages the one of other addresses."""
    return (
        Page(method="GET", path="/console", name="board", handler=board.show),
        Page(method="GET", path="/console/{rest:path}", name="elsewhere", handler=_elsewhere),
    )
