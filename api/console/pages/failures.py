"""Failures in groups, and the runs that continue a group."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from http import HTTPStatus

from starlette.responses import RedirectResponse, Response

from api.console.pages.actions import note_of
from api.console.pages.job_list import Row
from api.console.rendering import Renderer
from api.console.visit import Page, Visit
from api.problems import ProblemError
from worker.api_keys.scopes import Scope
from worker.jobs.failures import (
    GROUPED,
    FailureGroup,
    failure_group,
    failure_groups,
    first_members,
)
from worker.jobs.listing import count, read
from worker.jobs.store import JobStore
from worker.operations.redrive import LOOKED_AT, Preview, Redrives, Run

_ROWS = 10
_SHOWN = 200
_RUN = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """The handlers of groups and runs."""

    store: JobStore
    redrives: Redrives
    renderer: Renderer

    def show(self, visit: Visit) -> Response:
        """Answer GET /console/failures."""
        groups = failure_groups(self.store.redis, visit.tenant)
        counts = count(self.store.redis, GROUPED, tenant=visit.tenant)
        return self.renderer.page(
            visit,
            "failures.html",
            groups=groups[:_SHOWN],
            others=max(0, len(groups) - _SHOWN),
            jobs=sum(group.jobs for group in groups),
            spent=sum((group.spent for group in groups), Decimal(0)),
            earlier=max(0, sum(counts.values()) - sum(group.jobs for group in groups)),
            runs=self.redrives.going_on(visit.tenant),
        )

    def group(self, visit: Visit) -> Response:
        """Answer GET /console/failures/{id}."""
        return self._page(visit, self._group(visit), notice="", status=200)

    def start(self, visit: Visit) -> Response:
        """Answer POST /console/failures/{id}: begin a run, with the limit that was shown."""
        group, run_id, note = self._group(visit), visit.form.text("run"), note_of(visit)
        if not note:
            return self._page(visit, group, "Say why: the history of each job keeps it.", 422)
        if _RUN.fullmatch(run_id) is None:
            return self._page(visit, group, "The form is not one of ours. Nothing was done.", 422)
        most = _dollars(visit.form.text("most")) if visit.form.text("pay") == "1" else Decimal(0)
        self.redrives.start(run_id, group, by=visit.by, note=note, most=most)
        return RedirectResponse(f"/console/redrives/{run_id}", HTTPStatus.SEE_OTHER)

    def run(self, visit: Visit) -> Response:
        """Answer GET /console/redrives/{id}."""
        return self.renderer.page(visit, "redrive.html", run=self._run(visit))

    def cancel(self, visit: Visit) -> Response:
        """Answer POST /console/redrives/{id}/cancel."""
        run = self._run(visit)
        if run.goes_on:
            self.redrives.cancel(run)
        return RedirectResponse(f"/console/redrives/{run.id}", HTTPStatus.SEE_OTHER)

    def _page(self, visit: Visit, group: FailureGroup, notice: str, status: int) -> Response:
        redis, now = self.store.redis, self.store.clock()
        latest = read(redis, first_members(redis, group.id, _ROWS))
        preview = self.redrives.preview(group)
        return self.renderer.page(
            visit,
            "failure.html",
            status=status,
            notice=notice,
            group=group,
            preview=preview,
            whole=preview.looked_at < LOOKED_AT,
            most=_most(group, preview),
            run_id=secrets.token_hex(8),
            rows=[Row.of(job, now) for job in latest],
        )

    def _group(self, visit: Visit) -> FailureGroup:
        group = failure_group(self.store.redis, visit.request.path_params["id"], visit.tenant)
        if group is None:
            raise ProblemError("not_found", "no job is in this group any more")
        return group

    def _run(self, visit: Visit) -> Run:
        run = self.redrives.get(visit.request.path_params["id"], visit.tenant)
        if run is None:
            raise ProblemError("not_found", "no run has this id; runs are kept for 30 days")
        return run


def _most(group: FailureGroup, preview: Preview) -> Decimal:
    """Return what the paying jobs of the whole group should cost at most."""
    if not preview.looked_at:
        return Decimal(0)
    share = Decimal(max(group.jobs, preview.looked_at)) / preview.looked_at
    return (preview.usd * share).quantize(Decimal("0.01"))


def _dollars(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return Decimal(0)
    return amount if amount.is_finite() and 0 < amount < 10**9 else Decimal(0)


def pages(failures: Failures) -> Sequence[Page]:
    """Return the pages of groups and runs."""
    group, run = "/console/failures/{id}", "/console/redrives/{id}"
    act = Scope.ACT
    return (
        Page(method="GET", path="/console/failures", name="failures", handler=failures.show),
        Page(method="GET", path=group, name="failureGroup", handler=failures.group),
        Page(method="POST", path=group, name="redrive", handler=failures.start, scope=act),
        Page(method="GET", path=run, name="run", handler=failures.run),
        Page(
            method="POST",
            path=f"{run}/cancel",
            name="cancelRun",
            handler=failures.cancel,
            scope=act,
        ),
    )
