"""The client of fal: the real fal-client over TLS against the simulated fal, counting POSTs.

This is the contract test of worker.fal.client with fal-client: if an upgrade changes how it sends
or repeats its POST, these counts change.
"""

import json
import ssl
import subprocess
import sys
import urllib.parse
from collections.abc import Callable, Iterator

import httpx
import pytest

from infra.local.fal_process import FalProcess
from worker.fal.client import FalClient
from worker.fal.single_post import Accepted, AnswerLost, SinglePostTransport, SubmitRejected

ENDPOINT = "fal-ai/kling-video/v2.1/master/text-to-video"

# In a separate process, because fal-client reads the queue's host from the environment at import.
PROGRAM = """
import json, os, sys
from worker.fal.client import FalClient
from worker.errors import Failure
request = json.load(sys.stdin)
fal = FalClient(os.environ["FAL_KEY"])
try:
    job = fal.submit(request["endpoint"], request["arguments"], request["webhook"])
    print(json.dumps({"kind": "Accepted", "request_id": job.request_id,
                      "response_url": job.response_url, "cancel_url": job.cancel_url}))
except Failure as failure:
    print(json.dumps({"kind": type(failure).__name__, "reason": failure.reason,
                      "after": getattr(failure, "after", None), "sentence": failure.sentence}))
"""


class Submitter:
    """Submits through worker.fal.client in a process that reaches only the simulated fal."""

    def __init__(self, fal: FalProcess) -> None:
        self.fal = fal
        self.submits = 0

    def submit(self, mishap: str, **environ: str) -> dict[str, object]:
        """Return the outcome of one submit whose prompt requests `mishap`."""
        self.submits += 1
        webhook = f"http://127.0.0.1:9/webhooks/fal/job{self.submits}/1.secret"
        prompt = f"A fox [[sim: {mishap}]]" if mishap else "A fox"
        request = {"endpoint": ENDPOINT, "arguments": {"prompt": prompt}, "webhook": webhook}
        program = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            input=json.dumps(request),
            env={**self.fal.environment, **environ},
            capture_output=True,
            text=True,
            check=True,
        )
        outcome: dict[str, object] = json.loads(program.stdout)
        return outcome

    def posts(self) -> list[int]:
        """Return how many POSTs arrived for each callback URL, in the order of the submits."""
        webhooks = self.fal.counts()["webhooks"]
        by_job = {urllib.parse.urlsplit(url).path.split("/")[3]: w for url, w in webhooks.items()}
        counts = [by_job.get(f"job{n}", {}).get("submit_posts", 0) for n in self._jobs()]
        return [int(str(count)) for count in counts]

    def _jobs(self) -> range:
        return range(1, self.submits + 1)


@pytest.fixture(scope="module")
def simulated(module_fal: Callable[..., FalProcess]) -> FalProcess:
    """One simulated fal for all submits of this module."""
    return module_fal("--speed", "1000")


@pytest.fixture
def submitter(simulated: FalProcess) -> Submitter:
    """A submitter to a simulated fal that has counted nothing yet."""
    request = httpx.Request("POST", f"{simulated.url}/_sim/reset")
    trusted = ssl.create_default_context(cafile=simulated.ca_file)
    with httpx.Client(verify=trusted) as client:
        client.send(request).raise_for_status()
    return Submitter(simulated)


@pytest.mark.parametrize(
    ("mishap", "kind", "reason"),
    [
        ("answer-lost", "AnswerLost", "answer_lost"),
        ("connection-cut", "AnswerLost", "answer_lost"),
        ("status-408", "AnswerLost", "fal_408"),
        ("status-409", "AnswerLost", "fal_409"),
        ("status-429=7", "NotAccepted", "fal_busy"),
        ("status-500", "AnswerLost", "fal_500"),
        ("status-502-nginx", "AnswerLost", "fal_502"),
        ("status-503", "AnswerLost", "fal_503"),
        ("status-403", "SubmitRejected", "fal_403"),
        ("status-422", "SubmitRejected", "fal_422"),
    ],
)
def test_exactly_one_post(submitter: Submitter, mishap: str, kind: str, reason: str) -> None:
    """A submit sends exactly one POST and reports its outcome, whatever that is."""
    outcome = submitter.submit(mishap)
    assert (kind, reason, [1]) == (outcome["kind"], outcome["reason"], submitter.posts())


def test_accepted(submitter: Submitter) -> None:
    """An accepted submit returns the request id and fal's own URLs, after one POST."""
    outcome = submitter.submit("")
    request_id = str(outcome["request_id"])
    base = f"{submitter.fal.url}/fal-ai/kling-video/requests/{request_id}"
    assert (base, f"{base}/cancel", [1]) == (
        outcome["response_url"],
        outcome["cancel_url"],
        submitter.posts(),
    )


def test_retry_after_is_kept(submitter: Submitter) -> None:
    """The wait that a 429 requests reaches the pipeline, in seconds."""
    assert 7.0 == submitter.submit("status-429=7")["after"]


def test_no_connection_means_not_accepted(submitter: Submitter) -> None:
    """If no connection can be made, nothing was posted and the submit may be tried again."""
    outcome = submitter.submit("", FAL_QUEUE_RUN_HOST="127.0.0.1:1")
    assert ("NotAccepted", "fal_unreachable", [0]) == (
        outcome["kind"],
        outcome["reason"],
        submitter.posts(),
    )


def test_an_untrusted_host_gets_no_post(submitter: Submitter) -> None:
    """A host whose certificate is not trusted never sees the key or the job."""
    outcome = submitter.submit("", SSL_CERT_FILE=httpx_roots())
    assert ("NotAccepted", [0]) == (outcome["kind"], submitter.posts())


def test_a_refusal_contains_no_prompt_and_no_key(submitter: Submitter) -> None:
    """The sentence that is stored contains nothing that fal echoes of the input."""
    sentence = str(submitter.submit("status-422")["sentence"])
    assert (False, False) == ("fox" in sentence, submitter.fal.environment["FAL_KEY"] in sentence)


def httpx_roots() -> str:
    """Return a file of the public roots only, without the simulated fal's."""
    import certifi  # noqa: PLC0415  # httpx brings it

    return certifi.where()


def answer(status: int, **more: object) -> httpx.Response:
    """Return an answer of the transport below SinglePostTransport."""
    return httpx.Response(status, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [301, 307, 308])
def test_a_redirect_causes_no_second_post(status: int) -> None:
    """A redirected POST counts as an unknown outcome and is not sent again."""
    inner = httpx.MockTransport(lambda _request: answer(status, headers={"location": "/again"}))
    with pytest.raises(AnswerLost):
        SinglePostTransport(inner).handle_request(httpx.Request("POST", "https://queue.fal.run/x"))


def test_a_transport_sends_one_request() -> None:
    """A caller that tries again sends nothing through the same transport."""
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answer(200, json={})

    transport = SinglePostTransport(httpx.MockTransport(handle))
    request = httpx.Request("POST", "https://queue.fal.run/x")
    transport.handle_request(request)
    with pytest.raises(AnswerLost):
        transport.handle_request(request)
    assert 1 == len(seen)


def test_a_body_that_breaks_off_is_unknown() -> None:
    """An error while the answer is read counts as a lost answer and is not retried."""

    class Broken(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield b'{"request_id"'
            raise httpx.ReadError("gone")

    inner = httpx.MockTransport(lambda _request: answer(200, stream=Broken()))
    with pytest.raises(AnswerLost):
        SinglePostTransport(inner).handle_request(httpx.Request("POST", "https://queue.fal.run/x"))


def submitted(handler: Callable[[httpx.Request], httpx.Response], **arguments: object) -> Accepted:
    """Submit through worker.fal.client over a mock transport."""
    fal = FalClient("id:secret", transport=httpx.MockTransport(handler))
    return fal.submit(ENDPOINT, arguments, "https://hooks.example.com/w")  # type: ignore[arg-type]


def test_only_the_request_id_of_an_answer_is_required() -> None:
    """An answer without fal's URLs, which fal-client cannot read, is an accepted job."""
    accepted = submitted(lambda _request: answer(200, json={"request_id": "r1"}), prompt="A fox")
    assert Accepted(request_id="r1", response_url="", cancel_url="") == accepted


@pytest.mark.parametrize("content", [b"{}", b"not JSON", b'{"request_id": 7}', b"[]"])
def test_an_answer_without_a_request_id_is_unknown(content: bytes) -> None:
    """fal may have the job if it answered 200 without a request id."""
    with pytest.raises(AnswerLost):
        submitted(lambda _request: answer(200, content=content), prompt="A fox")


def test_arguments_that_cannot_be_sent_are_refused() -> None:
    """Arguments that are not JSON are not sent, so no job waits for a callback."""
    with pytest.raises(SubmitRejected):
        submitted(lambda _request: answer(200, json={}), prompt=object())
