"""Many jobs in one request, each with its own key."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.creation import Creation
from api.dispatch import invalid_request, json_response, rate_limited
from api.idempotency import require_key
from api.models.batch import BatchAnswer, BatchCreation, BatchEntry, BatchResult
from api.models.creation import Trial
from api.models.job import Job
from api.models.problem import Problem
from api.operation import Answer, Call, Operation, Rate
from api.problems import ProblemError, as_problem
from api.rate_limits import RateLimits, header_fields
from api.request_body import media_type, parse_json, read_body
from worker.api_keys.scopes import Scope
from worker.jobs.store import JobStore

MOST_JOBS = 500
BODY_BYTES = 4 * 1024 * 1024
NDJSON = "application/x-ndjson"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The handler of batches."""

    store: JobStore
    creation: Creation
    limits: RateLimits

    async def create_jobs(self, call: Call) -> Response:
        """Answer POST /v1/jobs:batch: each entry succeeds or fails alone."""
        rows = _rows(media_type(call.request), await read_body(call.request, BODY_BYTES))
        await run_in_threadpool(self._count, call, len(rows))
        results = await run_in_threadpool(lambda: list(self._results(rows, call)))
        return json_response(
            BatchAnswer(
                results=results,
                created=sum(result.status == HTTPStatus.CREATED for result in results),
                replayed=sum(result.replayed for result in results),
                failed=sum(result.problem is not None for result in results),
            )
        )

    def _count(self, call: Call, rows: int) -> None:
        """Count the jobs of a batch as single ones; the request itself was counted as one."""
        assert call.key is not None
        if rows > 1:
            allowance = self.limits.check(call.key.id, Rate.CREATE, cost=rows - 1)
            if not allowance.allowed:
                raise rate_limited(allowance, header_fields(allowance))

    def _results(self, rows: Sequence[object], call: Call) -> Iterator[BatchResult]:
        away: ProblemError | None = None
        for row in rows:
            problem = away
            if problem is None:
                try:
                    yield self._created(row, call)
                    continue
                except Exception as error:
                    problem = as_problem(error)
                    if problem is None:
                        raise
                # What is away for one entry is for the next, and each would wait for it.
                away = problem if problem.kind.status == HTTPStatus.SERVICE_UNAVAILABLE else None
            body = Problem.model_validate(problem.body(call.request_id))
            yield BatchResult(key=_key(row), status=body.status, problem=body)

    def _created(self, row: object, call: Call) -> BatchResult:
        entry = _entry(row)
        made = self.creation.create(entry, tenant=call.tenant, key=entry.key)
        if isinstance(made, Trial):
            return BatchResult(key=entry.key, status=HTTPStatus.OK, trial=made)
        return BatchResult(
            key=entry.key,
            status=HTTPStatus.CREATED if made.new else HTTPStatus.OK,
            replayed=not made.new,
            job=Job.of(made.job, now=self.store.clock()),
        )


def _rows(kind: str, body: bytes) -> Sequence[object]:
    if kind == NDJSON:
        rows: object = [line for line in body.split(b"\n") if line.strip()]
    elif kind == "application/json":
        rows = parse_json(body)
    else:
        detail = f"send Content-Type: application/json with a list of jobs, or {NDJSON}"
        raise ProblemError("unsupported_media_type", detail)
    if not isinstance(rows, list) or not 1 <= len(rows) <= MOST_JOBS:
        detail = f"the body must be a list of 1 to {MOST_JOBS} jobs, or a line of JSON for each"
        raise ProblemError("invalid_request", detail)
    return rows


def _entry(row: object) -> BatchEntry:
    try:
        entry = BatchEntry.model_validate(parse_json(row) if isinstance(row, bytes) else row)
    except ValidationError as invalid:
        raise invalid_request(invalid) from None
    require_key(entry.key)
    return entry


def _key(row: object) -> str:
    """Return the key of an entry that failed, so that its sender knows it; "" if it has none."""
    try:
        value = parse_json(row) if isinstance(row, bytes) else row
    except ProblemError:
        return ""
    key = value.get("key") if isinstance(value, dict) else None
    return key if isinstance(key, str) else ""


def operations(batch: Batch) -> Sequence[Operation]:
    """Return the operation on batches."""
    return (
        Operation(
            method="POST",
            path="/v1/jobs:batch",
            name="createJobs",
            summary=f"Create up to {MOST_JOBS} jobs",
            description="A JSON list, or a line of JSON for each job (NDJSON). Each entry has its "
            "own `key` and succeeds or fails alone: send the same batch again, and only what is "
            "missing is created.",
            handler=batch.create_jobs,
            scope=Scope.CREATE,
            rate=Rate.CREATE,
            raw_bodies={"application/json": BatchCreation, NDJSON: BatchEntry},
            answers={200: Answer("What became of each entry, in their order.", BatchAnswer)},
            problems=("invalid_request", "bad_json", "too_large", "unsupported_media_type"),
        ),
    )
