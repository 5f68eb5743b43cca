"""One POST, and the three things that can have become of it.

NotAccepted   fal surely has no job: try again later
Refused       fal said no: the job fails with fal's words
Unknown       fal may have the job: never post again, the callback settles it

fal-client 1.0.3 repeats its POST up to ten times (20 with its backup host) on timeouts, dropped
connections, 408, 409, 429 and ingress errors, and fal has no idempotency key: each repeat may be
a second paid job. `OnePost` lets one POST out and turns every other outcome into an exception
that fal-client's retry loop does not catch.
"""

from dataclasses import dataclass

import httpx

from worker.errors import Failure, Permanent, Transient
from worker.fal.errors import retry_after, words
from worker.types import Json

AMBIGUOUS = frozenset({408, 409})


class NotAccepted(Transient):
    """fal surely has no job of this POST."""


class SubmitRejected(Permanent):
    """fal answered that it will not take this job."""


class AnswerLost(Failure):
    """The POST went out and no answer told what became of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """fal has the job. The two addresses are fal's own and may be empty."""

    request_id: str
    response_url: str
    cancel_url: str


class SinglePostTransport(httpx.BaseTransport):
    """Lets exactly one request out; every outcome but a 2xx leaves as one of our exceptions."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner
        self.sent = False
        self.answer: httpx.Response | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answers a 2xx, its body read; raises NotAccepted, Refused or Unknown otherwise."""
        if self.sent:
            raise AnswerLost("second_post", "fal-client tried to POST again; it was not let out")
        self.sent = True
        try:
            response = self._inner.handle_request(request)
            # Read here: a fault in the body must not reach fal-client's retry loop either.
            response.read()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            host = request.url.host
            sentence = f"no connection to {host} could be made"
            raise NotAccepted("fal_unreachable", sentence, host=host) from error
        except httpx.HTTPError as error:
            sentence = f"the answer of {request.url.host} was lost ({type(error).__name__})"
            raise AnswerLost("answer_lost", sentence) from error
        _judge(response)
        self.answer = response
        return response


def _judge(response: httpx.Response) -> None:
    status = response.status_code
    if response.is_success:
        return
    if status == httpx.codes.TOO_MANY_REQUESTS:
        after = retry_after(response.headers)
        raise NotAccepted("fal_busy", f"fal answered 429: {words(response)}", after=after)
    if response.is_client_error and status not in AMBIGUOUS:
        raise SubmitRejected(f"fal_{status}", f"fal answered {status}: {words(response)}")
    raise AnswerLost(f"fal_{status}", f"fal answered {status}, which tells nothing about the job")


def salvaged(post: SinglePostTransport, error: Exception) -> Accepted:
    """What fal-client could not read: only the request id of an answer is needed."""
    if not post.sent:
        sentence = f"the request could not be made ({type(error).__name__}); nothing was sent"
        raise SubmitRejected("unsendable", sentence) from error
    try:
        content: Json = post.answer.json() if post.answer else None
    except ValueError:
        content = None
    fields = content if isinstance(content, dict) else {}
    told = {name: value for name, value in fields.items() if isinstance(value, str)}
    if request_id := told.get("request_id"):
        return Accepted(
            request_id=request_id,
            response_url=told.get("response_url", ""),
            cancel_url=told.get("cancel_url", ""),
        )
    raise AnswerLost(
        "answer_unreadable", f"fal's answer could not be read ({type(error).__name__})"
    )
