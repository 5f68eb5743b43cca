"""Creates the jobs of requests: the same key is the same job, however often it is sent."""

from dataclasses import dataclass, replace
from decimal import Decimal

from redis.exceptions import RedisError

from api.idempotency import digest_of, fingerprint, is_repeated, job_id_of, mismatch
from api.models.creation import JobCreation, Trial
from api.models.job import estimate_of
from api.operation import Count
from api.problems import ProblemError, Retry
from worker.catalogue.errors import InputProblem
from worker.jobs.job import new_job_id
from worker.jobs.store import Known
from worker.operations.create import Created, FingerprintMismatch, JobCreator
from worker.operations.request import DraftJob, JobRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """Creates the jobs of requests."""

    creator: JobCreator

    def create(
        self,
        given: JobCreation,
        *,
        tenant: str,
        key: str | None,
        count: Count | None = None,
        traceparent: str | None = None,
    ) -> Created | Trial:
        """Return the stored job, or what it would be for `dry_run`; `count` the request before.

        A request that was carried out is not validated again: what it may say can have changed.
        Raises ProblemError, and what `JobCreator.add` raises.
        """
        job_id = new_job_id() if key is None else job_id_of(tenant, key)
        known = self.creator.store.look_up(job_id, along=count.command if count else ())
        if count is not None:
            count.settle(known.answer)
        sent = digest_of(given, job_id)
        try:
            if known.job is not None and is_repeated(known.job, sent):
                return self.creator.repeat(known.job)
            draft = self.draft(given, tenant, job_id, traceparent, sent)
            return _trial(draft) if given.dry_run else self.add(draft, known)
        except RedisError as error:
            raise unknown(job_id, key) from error

    def add(self, draft: DraftJob, known: Known) -> Created:
        """Return the job of a draft, stored unless `known` has it already.

        Raises ProblemError, and what `JobCreator.add` raises.
        """
        try:
            return self.creator.add(draft, known)
        except FingerprintMismatch as different:
            raise mismatch(different.fields) from None

    def draft(
        self, given: JobCreation, tenant: str, job_id: str, traceparent: str | None, sent: str
    ) -> DraftJob:
        """Return the valid job that a request is, whose digest is `sent`.

        Raises ProblemError if it is too expensive, and what `Validator.validate` raises.
        """
        request = JobRequest(
            endpoint=given.endpoint,
            arguments=given.arguments,
            metadata=given.metadata,
            job_id=job_id,
            options=given.options,
            unchecked=given.unchecked,
            tenant=tenant,
            notify=given.notify,
            traceparent=traceparent,
        )
        draft = self.creator.validator.validate(request)
        _require_price(draft, given.max_price)
        return replace(draft, job=replace(draft.job, fingerprint=fingerprint(draft.job, sent)))


def unknown(job_id: str, key: str | None) -> ProblemError:
    """Return the problem of a request of which Redis did not say whether its job is stored."""
    detail = "Redis is unavailable or does not take writes now; the job may have been created"
    if key is not None:
        return ProblemError("unavailable", detail, code="redis_unavailable")
    # The same request without a key would be a second job.
    detail += f" as {job_id}: look at /v1/jobs/{job_id} first, and use an Idempotency-Key"
    return ProblemError("unavailable", detail, code="redis_unavailable", retry=Retry.NEVER)


def _require_price(draft: DraftJob, most: Decimal | None) -> None:
    """Return if the job costs at most `most` US dollars. Raises ProblemError."""
    if most is None:
        return
    estimate = draft.estimate
    if estimate is None or estimate.at_least:
        detail = f"max_price cannot be kept: {draft.model.cost_sentence(draft.job.arguments)}"
        code = "price_unknown"
    elif estimate.usd > most:
        detail, code = f"it should cost {estimate.sentence}, and max_price is ${most}", ""
    else:
        return
    problem = InputProblem(path="max_price", value=str(most), message=detail)
    raise ProblemError("too_expensive", detail, code=code, problems=[problem])


def _trial(draft: DraftJob) -> Trial:
    return Trial(
        dry_run=True,
        endpoint=draft.job.endpoint,
        arguments=dict(draft.job.arguments),
        estimate=estimate_of(draft.job),
        cost=draft.model.cost_sentence(draft.job.arguments),
    )
