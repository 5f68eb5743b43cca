"""Attempts to deliver events: each in a thread of its own, and noted many at a time."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from redis.exceptions import RedisError

from webhook.log import get_logger
from worker.jobs.job import Job
from worker.notifications.due_lanes import DueLanes
from worker.notifications.endpoint import Endpoint, Kind
from worker.notifications.known_endpoints import KnownEndpoints
from worker.notifications.lanes import Claimed, Finished, Lanes, Outcome, error_class
from worker.notifications.message import Files, compose
from worker.notifications.sender import Answer, Sender
from worker.notifications.signature import message_id, signed_headers
from worker.notifications.signing_keys import SigningKeys, UnreadableKeys

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """Makes attempts; `archived` returns the job of an id that Redis has no more."""

    lanes: Lanes
    due: DueLanes
    endpoints: KnownEndpoints
    sender: Sender
    archived: Callable[[str], Job | None]
    files: Files
    links: str = ""
    # Hears of each attempt about a job: with its number from 1, when it began, and the answer.
    told: Callable[[Job, str, int, float, Answer], object] = lambda *_: None

    def make(self, claimed: Claimed, job: Job | None) -> Outcome | None:
        """Send the event of this job once; return what came of it.

        None if that is not known: then the lease ends, and the event is sent again.
        """
        began = self.lanes.clock()
        try:
            endpoint = self.endpoints.get(claimed.endpoint)
            answer = self._sent(claimed, endpoint, job)
        except RedisError as error:
            log.warning("notification.unnoted", endpoint=claimed.endpoint, error=error)
            return None
        except Exception:
            log.exception("notification.crashed", endpoint=claimed.endpoint)
            return None
        standing = endpoint is not None and endpoint.kind is Kind.STANDING
        return Outcome(claimed=claimed, answer=answer, began=began, disables=standing)

    def note(self, outcomes: Sequence[Outcome]) -> None:
        """Write down what came of attempts, and what follows from that."""
        finished = self.lanes.finish(outcomes)
        lanes = [each.claimed.endpoint for each in outcomes]
        self.due.look_at(
            (lane, each.due)
            for lane, each in zip(lanes, finished, strict=True)
            if each.due is not None and not each.lost
        )
        self.due.look_now(lane for lane, each in zip(lanes, finished, strict=True) if each.disabled)
        for outcome, each in zip(outcomes, finished, strict=True):
            _log(outcome, each)

    def _sent(self, claimed: Claimed, endpoint: Endpoint | None, job: Job | None) -> Answer:
        if endpoint is None:
            return Answer(error="removed")
        event = claimed.event
        if event.job and job is None:
            job = self.archived(event.job)
        url = endpoint.url if endpoint.kind is Kind.STANDING else job.notify if job else ""
        if not url:
            return Answer(error="no_record")
        try:
            keys = self.endpoints.keys(endpoint)
        except UnreadableKeys:
            return Answer(error="unreadable_keys")
        about = self.endpoints.read(event.endpoint) if event.endpoint else None
        body = compose(event, job, endpoint, files=self.files, links=self.links, about=about)
        began = time.time()
        answer = self._post(claimed, url, body, keys)
        if job is not None:
            self.told(job, event.state, claimed.tries + 1, began, answer)
        return answer

    def _post(self, claimed: Claimed, url: str, body: bytes, keys: Sequence[SigningKeys]) -> Answer:
        event = claimed.event
        name = message_id(claimed.endpoint, event.subject, event.n)
        # The time of the receivers, whatever clock the lanes have.
        headers = signed_headers(name, body, keys, now=time.time())
        return self.sender.post(url, body, headers)


def _log(outcome: Outcome, finished: Finished) -> None:
    claimed, answer = outcome.claimed, outcome.answer
    fields = {
        "endpoint": claimed.endpoint,
        "job": claimed.event.job or None,
        "type": claimed.event.type,
        "tries": claimed.tries + 1,
        "ms": round(answer.seconds * 1000),
    }
    if finished.state == "delivered":
        log.debug("notification.delivered", **fields)
        return
    fields |= {"status": answer.status or None, "error": error_class(answer)}
    if finished.state == "dead":
        log.warning("notification.dead", **fields)
    else:
        log.info("notification.retried", **fields)
    if finished.disabled:
        log.warning("endpoint.disabled", endpoint=claimed.endpoint)
