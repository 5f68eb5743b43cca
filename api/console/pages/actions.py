"""Retrying and cancelling one job, with a reason that its history keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from starlette.responses import RedirectResponse, Response

from api.console.pages.job import JobPage
from api.console.visit import Page, Visit
from worker.api_keys.scopes import Scope
from worker.fal.client import FalClient
from worker.jobs.job import Job
from worker.operations.cancel import NotCancellable, cancel
from worker.operations.retry import NotRetryable

LONGEST_NOTE = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class JobActions:
    """The handlers of what operators do with a job."""

    page: JobPage
    fal: FalClient

    def retry(self, visit: Visit) -> Response:
        """Answer POST /console/jobs/{id}/retry.

        The form says what the person read about its cost; if that has changed, nothing is done.
        """
        job = self._job(visit)
        retry, note = self.page.retry, note_of(visit)
        if not note:
            return self._refused(visit, job, "Say why: the job's history keeps it.", 422)
        resubmit = visit.form.text("resubmit") == "1"
        pays = retry.posts(job, resubmit=resubmit)
        if pays and visit.form.text("pays") != "1":
            notice = "It would be sent to fal, which may bill it, unlike before. Nothing was done."
            return self._refused(visit, job, notice, 409)
        try:
            (retry.resubmit if resubmit else retry.retry)(job, about=about(visit, note))
        except NotRetryable as error:
            return self._refused(visit, self._job(visit), f"Nothing was done: {error}.", 409)
        return _done(job, "retry")

    def cancel(self, visit: Visit) -> Response:
        """Answer POST /console/jobs/{id}/cancel."""
        job, note = self._job(visit), note_of(visit)
        if not note:
            return self._refused(visit, job, "Say why: the job's history keeps it.", 422)
        store, by = self.page.finder.store, "the console"
        try:
            cancel(job, store=store, fal=self.fal, by=by, about=about(visit, note))
        except NotCancellable as error:
            return self._refused(visit, self._job(visit), f"Nothing was done: {error}.", 409)
        return _done(job, "cancel")

    def _job(self, visit: Visit) -> Job:
        return self.page.finder.find(visit.request.path_params["id"], visit.tenant)

    def _refused(self, visit: Visit, job: Job, notice: str, status: int) -> Response:
        return self.page.page(visit, job, notice=notice, status=status)


def note_of(visit: Visit) -> str:
    """Return the reason that a person gave, in one line; "" without one."""
    return " ".join(visit.form.text("note").split())[:LONGEST_NOTE]


def about(visit: Visit, note: str) -> Mapping[str, str]:
    """Return who acts and why, as fields of the event in the job's history."""
    return {"by": visit.by, "note": note}


def _done(job: Job, what: str) -> Response:
    return RedirectResponse(f"/console/jobs/{job.id}?done={what}", HTTPStatus.SEE_OTHER)


def pages(actions: JobActions) -> Sequence[Page]:
    """Return the actions on one job."""
    return (
        Page(
            method="POST",
            path="/console/jobs/{id}/retry",
            name="retry",
            handler=actions.retry,
            scope=Scope.ACT,
        ),
        Page(
            method="POST",
            path="/console/jobs/{id}/cancel",
            name="cancel",
            handler=actions.cancel,
            scope=Scope.ACT,
        ),
    )
