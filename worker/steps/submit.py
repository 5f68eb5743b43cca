"""The submit step: one POST for each claim of a job, and never a second one in doubt."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from redis.exceptions import RedisError

from webhook.contract import Task, callback_url
from webhook.log import get_logger
from worker.catalogue.options import Options
from worker.errors import Transient
from worker.fal.client import FalClient
from worker.fal.single_post import Accepted, AnswerLost
from worker.jobs.change import Change, Outcome
from worker.jobs.job import Job, JobState
from worker.jobs.step import Step
from worker.jobs.store import JobStore
from worker.types import Json

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """Posts jobs to fal. `deadline` is the seconds a callback may take."""

    fal: FalClient
    records: JobStore
    public_url: str
    secret: str
    deadline: float
    # The arguments with fal's addresses for inputs that lie in our storage.
    addressed: Callable[[Mapping[str, Json]], dict[str, Json]] = dict

    def step(self) -> Step:
        """The row of the pipeline's table."""
        return Step(
            task=Task.SUBMIT,
            takes=JobState.QUEUED,
            works_in=JobState.SUBMITTING,
            counts=("tries", "attempt"),
            also_from=(JobState.SUBMIT_UNKNOWN,),
            work=self.work,
            # Every failure that leaves `work` says that fal surely has no job of this attempt.
            on_failure={"posted": 0},
            on_crash=self.crashed,
        )

    def work(self, job: Job) -> Outcome:
        """SUBMITTED with fal's request id, or SUBMIT_UNKNOWN where the answer was lost.

        Raises NotAccepted where fal surely has no job, Refused where it will never take it.
        """
        options = Options.read(job.options)
        arguments = self.addressed(job.arguments)
        self._begin(job)
        address = callback_url(self.public_url, self.secret, job.id, job.attempt)
        try:
            headers = options.headers(job.id)
            accepted = self.fal.submit(job.endpoint, arguments, address, headers=headers)
        except AnswerLost as unknown:
            return self.unknown(job, unknown.reason)
        self._keep(job, accepted)
        return Outcome(
            to=JobState.SUBMITTED,
            set={
                **_addresses(accepted),
                "request_id": accepted.request_id,
                "submitted_at": self.records.clock(),
            },
            event={"request_id": accepted.request_id, "attempt": str(job.attempt)},
            due=self.deadline,
        )

    def unknown(self, job: Job, reason: str) -> Outcome:
        """The callback settles such a job, or its deadline does; it is never posted again."""
        return Outcome(
            to=JobState.SUBMIT_UNKNOWN,
            set={"submitted_at": self.records.clock()},
            event={"reason": reason, "attempt": str(job.attempt)},
            due=self.deadline,
        )

    def crashed(self, job: Job) -> Outcome:
        """SUBMIT_UNKNOWN if the POST may have gone out; raises Transient if it surely has not."""
        standing = self.records.get(job.id)
        if standing is not None and standing.posted != job.attempt:
            raise Transient("crashed", "the submit step broke before its POST; see its log")
        return self.unknown(job, "crashed")

    def _begin(self, job: Job) -> None:
        # From here on fal may have the job. A worker that died before this was written is known
        # to have posted nothing; one that lost its claim meanwhile must not post at all.
        change = Change(
            set={"posted": job.attempt},
            guard={"attempt": job.attempt, "lease_owner": job.lease_owner},
        )
        try:
            begun = self.records.change(job.id, [JobState.SUBMITTING], change)
        except RedisError as error:
            sentence = f"Redis did not answer before the POST ({type(error).__name__})"
            raise Transient("records_unavailable", sentence) from error
        if not begun:
            raise Transient("claim_lost", "the claim ended before the POST; nothing was sent")

    def _keep(self, job: Job, accepted: Accepted) -> None:
        # Whatever happens to Redis now: here stands which request was paid for.
        log.info("job.accepted", job=job.id, attempt=job.attempt, request_id=accepted.request_id)
        # The callback may have come before this answer and have moved the job already.
        change = Change(set=_addresses(accepted), guard={"attempt": job.attempt})
        with suppress(RedisError):
            self.records.change(job.id, JobState, change)


def _addresses(accepted: Accepted) -> dict[str, object]:
    return {"response_url": accepted.response_url, "cancel_url": accepted.cancel_url}
