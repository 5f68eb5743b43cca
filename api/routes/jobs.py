"""Operations on the jobs of a tenant: create, list, read, cancel and continue them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.conditional import etag, is_known
from api.dispatch import json_response
from api.events.fan_out import FanOut
from api.idempotency import HEADER, key_of
from api.job_finder import JobFinder
from api.models.action import Cancelled, Continuation, Continued
from api.models.creation import JobCreation, JobOrTrial, Trial
from api.models.job import Job, JobPage, estimate_of
from api.models.job_query import JobQuery, JobsQuery
from api.operation import Answer, Call, Operation, Rate
from api.problems import ProblemError
from api.quick_creation import QuickCreation, Wanted
from worker.api_keys.scopes import Scope
from worker.catalogue.errors import InputProblem
from worker.fal.client import FalClient
from worker.jobs import job as records
from worker.jobs.filtered_listing import filtered_page
from worker.jobs.job import FINAL
from worker.jobs.store import JobStore
from worker.operations.cancel import NotCancellable, cancel
from worker.operations.retry import NotRetryable, Retry

REPLAYED = "Idempotency-Replayed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """The handlers of jobs."""

    store: JobStore
    creation: QuickCreation
    finder: JobFinder
    retry: Retry
    fal: FalClient
    changes: FanOut
    require_key: bool

    async def create_job(self, call: Call) -> Response:
        """Answer POST /v1/jobs."""
        given: JobCreation = call.body
        required = self.require_key and not given.dry_run
        key = key_of(call.request.headers.get(HEADER), required=required)
        assert call.count is not None, "the operation counts its requests"
        made = await self.creation.create(
            Wanted(
                given=given,
                tenant=call.tenant,
                key=key,
                count=call.count,
                traceparent=call.request.headers.get("traceparent"),
            )
        )
        if isinstance(made, Trial):
            return json_response(made)
        headers = {"Location": f"/v1/jobs/{made.job.id}"}
        if not made.new:
            headers[REPLAYED] = "true"
        return self._response(made.job, status=201 if made.new else 200, headers=headers)

    def list_jobs(self, call: Call) -> Response:
        """Answer GET /v1/jobs."""
        query: JobsQuery = call.query
        try:
            found = filtered_page(
                self.store.redis,
                tenant=call.tenant,
                state=query.state,
                endpoint=query.endpoint,
                metadata=query.metadata,
                cursor=query.cursor,
                limit=query.limit,
            )
        except ValueError:
            detail = "the cursor is not one that a list returned; begin without one"
            raise ProblemError("bad_cursor", detail) from None
        now = self.store.clock()
        jobs = [Job.of(job, now=now) for job in found.jobs]
        return json_response(JobPage(jobs=jobs, cursor=found.cursor))

    async def get_job(self, call: Call) -> Response:
        """Answer GET /v1/jobs/{id}: at once, or when the job has ended or changed."""
        query: JobQuery = call.query
        headers = call.request.headers
        loop = asyncio.get_running_loop()
        ends = loop.time() + query.wait
        with self.changes.watched(_id(call)) as watch:
            while True:
                job = await run_in_threadpool(self._job, call)
                response = self._response(job)
                known = is_known(response.headers["ETag"], headers)
                news = not known if "if-none-match" in headers else job.state in FINAL
                left = ends - loop.time()
                if news or left <= 0 or self.changes.ended:
                    break
                await watch.wait(left)
        if known:
            return Response(status_code=304, headers={"ETag": response.headers["ETag"]})
        return response

    def cancel_job(self, call: Call) -> Response:
        """Answer POST /v1/jobs/{id}:cancel."""
        try:
            sentence = cancel(self._job(call), store=self.store, fal=self.fal, by="the API")
        except NotCancellable as error:
            raise ProblemError("wrong_state", str(error)) from None
        job = Job.of(self._job(call), now=self.store.clock())
        return json_response(Cancelled(job=job, sentence=sentence))

    def retry_job(self, call: Call) -> Response:
        """Answer POST /v1/jobs/{id}:retry."""
        wish: Continuation = call.body
        job = self._job(call)
        pays = self.retry.posts(job, resubmit=wish.resubmit)
        if pays and not (wish.allow_pay or wish.dry_run):
            raise _would_pay(job)
        if not wish.dry_run:
            try:
                (self.retry.resubmit if wish.resubmit else self.retry.retry)(job)
            except NotRetryable as error:
                raise ProblemError("wrong_state", str(error)) from None
            job = self._job(call)
        continued = Continued(
            job=Job.of(job, now=self.store.clock()),
            dry_run=wish.dry_run,
            will_pay=pays,
            estimate=estimate_of(job) if pays else None,
        )
        return json_response(continued)

    def _job(self, call: Call) -> records.Job:
        return self.finder.find(_id(call), call.tenant)

    def _response(
        self, job: records.Job, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Response:
        response = json_response(
            Job.of(job, now=self.store.clock()), status=status, headers=headers
        )
        response.headers["ETag"] = etag(response)
        return response


def _id(call: Call) -> str:
    job_id: str = call.request.path_params["id"]
    return job_id


def _would_pay(job: records.Job) -> ProblemError:
    estimate = f", about ${job.estimate['usd']}" if "usd" in job.estimate else ""
    detail = f"the job would be sent to fal, which may bill it{estimate}; send allow_pay: true"
    problem = InputProblem(path="allow_pay", value="false", message=detail)
    return ProblemError("would_pay", detail, problems=[problem])


_UNKNOWN_JOB = ("not_found",)


def operations(jobs: Jobs) -> Sequence[Operation]:
    """Return the operations on jobs."""
    named = {"ETag": "Names this answer: send it as If-None-Match."}
    job = Answer("The job.", Job, headers=named)
    job_id = {"id": "$response.body#/id"}
    links = dict.fromkeys(("getJob", "cancelJob", "retryJob", "listJobEvents"), job_id)
    created = {
        201: Answer(
            "The job was created.",
            Job,
            headers={**named, "Location": "The job's address."},
            links=links,
        ),
        200: Answer(
            "The job of this key as it is now, or the answer to `dry_run`.",
            JobOrTrial,
            headers={REPLAYED: "`true` if the key's job existed before."},
        ),
    }
    return (
        Operation(
            method="POST",
            path="/v1/jobs",
            name="createJob",
            summary="Create a job",
            description="With an `Idempotency-Key` the request can be repeated for ever: the same "
            "key is always the same job, and fal is paid once.",
            handler=jobs.create_job,
            scope=Scope.CREATE,
            rate=Rate.CREATE,
            counts=True,
            headers={
                HEADER: "Any text of yours, such as the order's number.",
                "traceparent": "Your trace, which the job joins: W3C Trace Context.",
            },
            body=JobCreation,
            answers=created,
            problems=(
                "key_required",
                "bad_key",
                "idempotency_mismatch",
                "rejected",
                "too_expensive",
            ),
        ),
        Operation(
            method="GET",
            path="/v1/jobs",
            name="listJobs",
            summary="List jobs",
            description="The newest first. `metadata.NAME=VALUE` chooses by metadata.",
            handler=jobs.list_jobs,
            scope=Scope.READ,
            query=JobsQuery,
            answers={200: Answer("A page of jobs.", JobPage)},
            problems=("bad_cursor",),
        ),
        Operation(
            method="POST",
            path="/v1/jobs/{id}:cancel",
            name="cancelJob",
            summary="Cancel a job before its render",
            description="fal is asked once to stop; a job that it is rendering may be billed.",
            handler=jobs.cancel_job,
            scope=Scope.ACT,
            rate=Rate.CREATE,
            answers={200: Answer("The job is cancelled.", Cancelled)},
            problems=(*_UNKNOWN_JOB, "wrong_state"),
        ),
        Operation(
            method="POST",
            path="/v1/jobs/{id}:retry",
            name="retryJob",
            summary="Continue an ended job from what is stored",
            description="Pays nothing for a result that fal has delivered. One that would be sent "
            "to fal is refused with `would_pay`, unless `allow_pay` is true.",
            handler=jobs.retry_job,
            scope=Scope.ACT,
            rate=Rate.CREATE,
            body=Continuation,
            body_optional=True,
            answers={200: Answer("The job continues.", Continued)},
            problems=(*_UNKNOWN_JOB, "wrong_state", "would_pay"),
        ),
        Operation(
            method="GET",
            path="/v1/jobs/{id}",
            name="getJob",
            summary="Read a job, or wait for its end",
            handler=jobs.get_job,
            scope=Scope.READ,
            query=JobQuery,
            headers={"If-None-Match": "The ETag of an earlier answer."},
            answers={200: job, 304: Answer("It has not changed.", media_type="")},
            problems=_UNKNOWN_JOB,
        ),
    )
