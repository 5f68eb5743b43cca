"""The submit step: one POST for each claim of a job, and never a second one in doubt."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from redis.exceptions import RedisError

from webhook.contract import Task, callback_url
from webhook.log import get_logger
from worker.catalogue.options import Options
from worker.errors import Failure, Transient
from worker.fal.client import FalClient
from worker.fal.single_post import AnswerLost, SubmitRejected
from worker.jobs import deployment
from worker.jobs.change import Change, Outcome
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore
from worker.steps.account_pause import AccountPause
from worker.types import Json

log = get_logger()

# A job that waited no longer says why.
_NO_REASON = {"step": "", "reason": "", "sentence": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """Posts jobs to fal. A callback may take `deadline` seconds."""

    fal: FalClient
    store: JobStore
    public_url: str
    secret: str
    deadline: float
    # Returns the arguments with fal's URLs for inputs that are in our storage.
    addressed: Callable[[Mapping[str, Json]], dict[str, Json]] = dict

    def work(self, job: Job) -> Outcome:
        """Post the job: SUBMITTED with fal's request id, or SUBMIT_UNKNOWN if the answer was lost.

        Every failure means that fal certainly has no job of this attempt: Transient where it may
        take it later, Permanent where it never will.
        """
        try:
            return self._post(job)
        except Failure:
            raise
        except Exception:  # the POST may have gone out: what became of it must be recorded
            log.exception("step.crashed", job=job.id, step=Task.SUBMIT)
            return self._crashed(job)

    def _post(self, job: Job) -> Outcome:
        options = Options.read(job.options)
        try:
            probe = self.pause.check(job)
            arguments = self.addressed(job.arguments)
        except RedisError as error:
            raise _no_records(error) from error
        self._begin(job)
        url = callback_url(self.public_url, self.secret, job.id, job.attempt)
        try:
            accepted = self.fal.submit(
                job.endpoint,
                arguments,
                url,
                headers=options.headers(job.id),
                query=options.query(),
            )
        except AnswerLost as lost:
            return self._unknown(job, lost.reason, lost.sentence)
        except SubmitRejected as refusal:
            if refusal.fault:
                raise self.pause.refused(job, refusal) from refusal
            if probe:
                self._passed(job)
            raise
        # Whatever happens to Redis now: the log has the request that was paid for.
        log.info("job.accepted", job=job.id, attempt=job.attempt, request_id=accepted.request_id)
        if probe:
            self._passed(job)
        addresses = {"response_url": accepted.response_url, "cancel_url": accepted.cancel_url}
        return Outcome(
            to=JobState.SUBMITTED,
            # The callback may have come before this answer and already have moved the job.
            anyway=addresses,
            set={
                **addresses,
                **_NO_REASON,
                "request_id": accepted.request_id,
                "submitted_at": self.store.clock(),
            },
            event={"request_id": accepted.request_id, "attempt": str(job.attempt)},
            due=self.deadline,
        )

    @property
    def pause(self) -> AccountPause:
        """The pause of submission for an account that fal refuses."""
        return AccountPause(redis=self.store.redis, key=self.fal.key, clock=self.store.clock)

    def _passed(self, job: Job) -> None:
        # What fal answered counts, also if Redis is away now: then the pause ends a little later.
        with suppress(RedisError):
            self.pause.passed(job)

    def _unknown(self, job: Job, reason: str, what: str) -> Outcome:
        """Return SUBMIT_UNKNOWN, which the callback or the deadline settles, never another POST."""
        sentence = (
            f"{what}; the POST is not repeated, because fal may have the job. Its callback settles "
            f"that within {self.deadline / 60:.0f} minutes"
        )
        return Outcome(
            to=JobState.SUBMIT_UNKNOWN,
            set={
                "submitted_at": self.store.clock(),
                "step": Task.SUBMIT,
                "reason": reason,
                "sentence": sentence,
            },
            event={"reason": reason, "attempt": str(job.attempt)},
            due=self.deadline,
        )

    def _crashed(self, job: Job) -> Outcome:
        """Return SUBMIT_UNKNOWN if the POST may have gone out; raise Transient if it has not."""
        try:
            current = self.store.get(job.id)
        except Exception as error:  # noqa: BLE001  # whatever it is, the record does not say so
            log.warning("outcome.waits", job=job.id, error=error)
            return self._unknown(job, "crashed", "the submit step crashed, perhaps at its POST")
        if current is not None and current.posted != job.attempt:
            raise Transient(
                "crashed", "the submit step crashed before its POST; see the worker's log"
            )
        return self._unknown(job, "crashed", "the submit step crashed at its POST")

    def _begin(self, job: Job) -> None:
        # From here on fal may have the job. A worker that died before this write has certainly
        # posted nothing; one that lost its claim meanwhile must not post at all. Whichever replica
        # is elected after the POST knows of it: it has this write, and so the claim before it.
        change = Change(
            set={"posted": job.attempt},
            guard={"attempt": job.attempt, "lease_owner": job.lease_owner},
        )
        try:
            deployment.note_secret(self.store.redis, self.secret, self.store.clock())
            begun = self.store.change_confirmed(job.id, [JobState.SUBMITTING], change)
        except RedisError as error:
            raise _no_records(error) from error
        if not begun:
            raise Transient("claim_lost", "the claim ended before the POST; nothing was sent")


def _no_records(error: RedisError) -> Transient:
    sentence = f"Redis did not answer before the POST ({type(error).__name__})"
    return Transient("records_unavailable", sentence)
