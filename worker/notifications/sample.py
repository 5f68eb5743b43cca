"""A sample of a message: signed as all are, sent once, without a lane."""

import time
from collections.abc import Mapping

from worker.notifications.endpoint import Endpoint
from worker.notifications.endpoints import Endpoints
from worker.notifications.lanes import error_class
from worker.notifications.message import compose
from worker.notifications.owed_event import OwedEvent
from worker.notifications.sender import Sender
from worker.notifications.signature import message_id, signed_headers


def send_sample(
    endpoint: Endpoint, url: str, *, endpoints: Endpoints, sender: Sender
) -> Mapping[str, object]:
    """Send a message of type endpoint.test and return what came of it, for JSON.

    Raises UnreadableKeys.
    """
    now = time.time()
    event = OwedEvent.test(endpoint.id, int(now * 1000), now)
    body = compose(event, None, endpoint, files=lambda _job: {}, links="", about=endpoint)
    name = message_id(endpoint.id, event.subject, event.n)
    headers = signed_headers(name, body, endpoints.signing_keys(endpoint), now=now)
    answer = sender.post(url, body, headers)
    return {
        "message": name,
        "url": url,
        "status": answer.status,
        "error": error_class(answer),
        "ms": round(answer.seconds * 1000),
        "answer": answer.text,
    }
