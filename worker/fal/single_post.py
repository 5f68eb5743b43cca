"""One POST, and the three outcomes in which it does not return a job.

NotAccepted      fal certainly has no job: try again later
SubmitRejected   fal refused the job, which fails with fal's message, or the account
AnswerLost       fal may have the job: never post again, the callback settles it

fal-client 1.0.3 repeats its POST up to ten times (20 with its backup host) on timeouts, dropped
connections, 408, 409, 429 and ingress errors, and fal has no idempotency key: each repeat may be
a second paid job. `SinglePostTransport` sends one POST and turns every other outcome into an
exception that fal-client's retry loop does not catch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import httpx

from worker.errors import Failure, Permanent, Transient
from worker.fal.account_faults import AccountFault, account_fault
from worker.fal.errors import error_text, retry_after
from worker.fal.lenient_json import parse_lenient

AMBIGUOUS_STATUSES = frozenset({408, 409})


class NotAccepted(Transient):
    """fal certainly has no job of this POST."""


class SubmitRejected(Permanent):
    """fal answered that it will not take this job.

    With a `fault` the job is not to blame, but the account: its jobs wait until that is put right.
    """

    def __init__(self, reason: str, sentence: str, *, fault: AccountFault | None = None) -> None:
        super().__init__(reason, sentence)
        self.fault = fault


class AnswerLost(Failure):
    """The POST was sent and no answer says whether fal has the job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A job that fal accepted. The two URLs are fal's own and may be empty."""

    request_id: str
    response_url: str
    cancel_url: str


class SinglePostTransport(httpx.BaseTransport):
    """A transport for exactly one request; every outcome but a 2xx raises a Failure.

    `query` is added to the parameters of the request's address.
    """

    def __init__(
        self, inner: httpx.BaseTransport, query: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self._inner = inner
        self._query = query
        self.sent = False
        self.answer: httpx.Response | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return a 2xx with its body read. Raises NotAccepted, SubmitRejected or AnswerLost."""
        if self.sent:
            raise AnswerLost("second_post", "fal-client tried to POST again; that was prevented")
        self.sent = True
        if self._query:  # fal-client has no argument for fal's own parameters
            request.url = request.url.copy_merge_params(self._query)
        try:
            response = self._inner.handle_request(request)
            # Read here: an error in the body must not reach fal-client's retry loop either.
            response.read()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            host = request.url.host
            raise NotAccepted("fal_unreachable", f"cannot connect to {host}", host=host) from error
        except (httpx.ProxyError, httpx.UnsupportedProtocol) as error:
            # The proxy refused the tunnel (RFC 9110, section 9.3.6): the request is still here.
            sentence = f"the proxy opens no tunnel to {request.url.host}; check HTTPS_PROXY"
            raise NotAccepted("proxy_refused", sentence, host=request.url.host) from error
        except httpx.HTTPError as error:
            sentence = f"the answer of {request.url.host} was lost ({type(error).__name__})"
            raise AnswerLost("answer_lost", sentence) from error
        _check(response)
        self.answer = response
        return response


def _check(response: httpx.Response) -> None:
    status = response.status_code
    if response.is_success:
        return
    if status == httpx.codes.TOO_MANY_REQUESTS:
        after = retry_after(response.headers)
        raise NotAccepted("fal_busy", f"fal answered 429: {error_text(response)}", after=after)
    if response.is_client_error and status not in AMBIGUOUS_STATUSES:
        words = error_text(response)
        sentence = f"fal answered {status}: {words}"
        raise SubmitRejected(f"fal_{status}", sentence, fault=account_fault(status, words))
    raise AnswerLost(
        f"fal_{status}", f"fal answered {status}, which does not say whether it has the job"
    )


def recover_accepted(post: SinglePostTransport, error: Exception) -> Accepted:
    """Return the job in an answer that fal-client could not read: only a request id is required.

    Raises SubmitRejected if nothing was sent, AnswerLost if the answer has no request id.
    """
    if not post.sent:
        sentence = f"the request could not be built ({type(error).__name__}); nothing was sent"
        raise SubmitRejected("unsendable", sentence) from error
    try:
        content = parse_lenient(post.answer.content) if post.answer else None
    except ValueError:
        content = None
    members = content if isinstance(content, dict) else {}
    fields = {name: value for name, value in members.items() if isinstance(value, str)}
    if request_id := fields.get("request_id"):
        return Accepted(
            request_id=request_id,
            response_url=fields.get("response_url", ""),
            cancel_url=fields.get("cancel_url", ""),
        )
    raise AnswerLost(
        "answer_unreadable", f"fal's answer could not be read ({type(error).__name__})"
    )
