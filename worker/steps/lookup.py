"""The look-up: one GET of a result whose callback never came, or came without it.

Never a GET of the status, and never in a loop. Only a GET without an answer is repeated, a few
times; a worker killed during it counts as such a try.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from webhook.contract import Task
from webhook.log import get_logger
from worker.errors import Permanent
from worker.fal.client import FalClient, NoResult, ResultUnavailable
from worker.fal.result import opened
from worker.jobs.change import Change, Outcome
from worker.jobs.counts import Ingested, callback
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore
from worker.jobs.transitions import Transitions
from worker.steps.callbacks import UNREAD, rendered, unrendered

AWAITING_RESULT = frozenset({JobState.SUBMITTED, JobState.SUBMIT_UNKNOWN})
# GETs that may get no answer, and seconds until the next one; longer than one GET may take.
MAX_LOOK_UPS = 5
LOOK_UP_TIME = 120.0
# The reason of a look-up after the deadline.
NO_CALLBACK = "no_callback"

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUp:
    """Fetches results that no callback brought; a callback may take `deadline` seconds."""

    store: JobStore
    transitions: Transitions
    fal: FalClient
    deadline: float

    def run(self, job_id: str) -> None:
        """Take an overdue job to RENDERED, EXPIRED or FAILED; any other stays unchanged.

        If the GET got no answer, the job is due again in LOOK_UP_TIME.
        """
        job = self.store.get(job_id)
        if job is None or job.state not in AWAITING_RESULT:
            return
        if job.callback:
            reason = UNREAD if job.reason == UNREAD else "payload_null"
            self._look_up(job, reason, "the callback brought no result")
        elif self.store.clock() >= job.submitted_at + self.deadline:
            if not job.looked_up:
                log.warning("callback.lost", job=job.id, state=job.state)
            self._look_up(job, NO_CALLBACK, "no callback came before the deadline")

    def _look_up(self, job: Job, reason: str, sentence: str) -> None:
        if not job.request_id:
            self._expire(job, reason, f"{sentence}, and {_unknown(job)}", _lost(job, reason))
        elif job.looked_up >= MAX_LOOK_UPS:
            self._expire(job, reason, f"{sentence}, and fal did not answer requests for the result")
        elif self._claim(job, reason):
            self._get(job, reason, sentence)

    def _claim(self, job: Job, reason: str) -> bool:
        now = self.store.clock()
        change = Change(
            set={"lease_until": now + LOOK_UP_TIME},
            bump=("looked_up",),
            guard={"looked_up": job.looked_up, "attempt": job.attempt},
            unleased_at=now,
            due=now + LOOK_UP_TIME,
            event={"name": "looked_up", "step": Task.INGEST, "reason": reason},
            count=_lost(job, reason),
        )
        return self.store.change(job.id, [job.state], change)

    def _get(self, job: Job, reason: str, sentence: str) -> None:
        address = job.response_url or self.fal.result_address(job.endpoint, job.request_id)
        try:
            payload = opened(self.fal.result(address))
        except NoResult as failure:
            if reason == UNREAD and self._wait_for_deadline(job):
                return
            self._expire(job, reason, f"{sentence}, and {failure.sentence}")
        except ResultUnavailable as failure:
            log.warning("look_up.failed", job=job.id, reason=failure.reason)
            if failure.error and job.looked_up + 1 >= MAX_LOOK_UPS:
                self._move(job, unrendered(failure.error, {}))
        except Permanent as failure:
            self._move(job, unrendered(failure, {}))
        else:
            self._move(job, rendered(job, payload, {"request_id": job.request_id}))

    def _wait_for_deadline(self, job: Job) -> bool:
        """Leave a job until its deadline: a callback that was not read may not mean its end."""
        due = job.submitted_at + self.deadline
        if self.store.clock() >= due:
            return False
        change = Change(set={"lease_until": 0}, guard={"attempt": job.attempt}, due=due)
        return self.store.change(job.id, [job.state], change)

    def _expire(
        self, job: Job, reason: str, sentence: str, count: Mapping[str, int] | None = None
    ) -> None:
        event = {"step": "render", "reason": reason, "sentence": sentence}
        self._move(job, Outcome(to=JobState.EXPIRED, set=event, event=event, count=count))

    def _move(self, job: Job, outcome: Outcome) -> None:
        self.transitions.move(Task.INGEST, job, outcome, expected=AWAITING_RESULT)


def _lost(job: Job, reason: str) -> Mapping[str, int] | None:
    """Return the count of a lost callback, once for each attempt."""
    first = reason == NO_CALLBACK and not job.looked_up
    return callback(Ingested.LOST) if first else None


def _unknown(job: Job) -> str:
    """Say what is known of a job whose POST got no answer, and what sending it again risks."""
    what = f" ({job.reason})" if job.reason else ""
    return (
        f"fal's request id is not known: the POST was sent and not answered{what}, so fal may "
        "never have had the job, or have rendered and billed it. fal's billing events show that "
        f"by the tag job_id={job.id}; if it is there, `falhook retry --resubmit` pays again"
    )
