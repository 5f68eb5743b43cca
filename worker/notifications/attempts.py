"""One attempt to deliver an event, from its claim to what follows from the answer."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from webhook.log import get_logger
from worker.jobs.job import Job
from worker.notifications.due_lanes import DueLanes
from worker.notifications.endpoint import Endpoint, Kind
from worker.notifications.known_endpoints import KnownEndpoints
from worker.notifications.lanes import Claimed, Finished, Lanes, error_class
from worker.notifications.message import Files, compose
from worker.notifications.sender import Answer, Sender
from worker.notifications.signature import message_id, signed_headers
from worker.notifications.signing_keys import SigningKeys, UnreadableKeys

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """Makes attempts; `job` returns the job of an id, also an archived one."""

    lanes: Lanes
    due: DueLanes
    endpoints: KnownEndpoints
    sender: Sender
    job: Callable[[str], Job | None]
    files: Files
    links: str = ""

    def make(self, claimed: Claimed) -> Finished:
        """Send the event once, and note what came of it."""
        began = self.lanes.clock()
        endpoint = self.endpoints.get(claimed.endpoint)
        answer = self._sent(claimed, endpoint)
        standing = endpoint is not None and endpoint.kind is Kind.STANDING
        finished = self.lanes.finish(claimed, answer, began=began, disables=standing)
        if finished.due is not None and not finished.lost:
            self.due.look_at(claimed.endpoint, finished.due)
        if finished.disabled:
            self.due.look_now([claimed.endpoint])
        _log(claimed, answer, finished)
        return finished

    def _sent(self, claimed: Claimed, endpoint: Endpoint | None) -> Answer:
        if endpoint is None:
            return Answer(error="removed")
        event = claimed.event
        job = self.job(event.job) if event.job else None
        url = endpoint.url if endpoint.kind is Kind.STANDING else job.notify if job else ""
        if not url:
            return Answer(error="no_record")
        try:
            keys = self.endpoints.keys(endpoint)
        except UnreadableKeys:
            return Answer(error="unreadable_keys")
        about = self.endpoints.read(event.endpoint) if event.endpoint else None
        body = compose(event, job, endpoint, files=self.files, links=self.links, about=about)
        return self._post(claimed, url, body, keys)

    def _post(self, claimed: Claimed, url: str, body: bytes, keys: Sequence[SigningKeys]) -> Answer:
        event = claimed.event
        name = message_id(claimed.endpoint, event.subject, event.n)
        # The time of the receivers, whatever clock the lanes have.
        headers = signed_headers(name, body, keys, now=time.time())
        return self.sender.post(url, body, headers)


def _log(claimed: Claimed, answer: Answer, finished: Finished) -> None:
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
