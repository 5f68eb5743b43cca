"""The one door to fal: the real fal-client over TLS against the simulated fal, POSTs counted.

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

# fal-client reads the queue's host from the environment at import: a process of its own.
PROGRAM = """
import json, os, sys
from worker.fal.client import FalClient
from worker.errors import Failure
order = json.load(sys.stdin)
fal = FalClient(os.environ["FAL_KEY"])
try:
    done = fal.submit(order["endpoint"], order["arguments"], order["webhook"])
    print(json.dumps({"kind": "Accepted", "request_id": done.request_id,
                      "response_url": done.response_url, "cancel_url": done.cancel_url}))
except Failure as failure:
    print(json.dumps({"kind": type(failure).__name__, "reason": failure.reason,
                      "after": getattr(failure, "after", None), "sentence": failure.sentence}))
"""


class Door:
    """Submits through worker.fal.client in a process that sees only the simulated fal."""

    def __init__(self, fal: FalProcess) -> None:
        self.fal = fal
        self.submits = 0

    def submit(self, mishap: str, **environ: str) -> dict[str, object]:
        """The outcome of one submit whose prompt asks for `mishap`."""
        self.submits += 1
        webhook = f"http://127.0.0.1:9/webhooks/fal/job{self.submits}/1.secret"
        prompt = f"A fox [[sim: {mishap}]]" if mishap else "A fox"
        order = {"endpoint": ENDPOINT, "arguments": {"prompt": prompt}, "webhook": webhook}
        answer = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            input=json.dumps(order),
            env={**self.fal.environment, **environ},
            capture_output=True,
            text=True,
            check=True,
        )
        outcome: dict[str, object] = json.loads(answer.stdout)
        return outcome

    def posts(self) -> list[int]:
        """How many POSTs arrived for each callback address, in the order of the submits."""
        webhooks = self.fal.counts()["webhooks"]
        by_job = {urllib.parse.urlsplit(url).path.split("/")[3]: w for url, w in webhooks.items()}
        counted = [by_job.get(f"job{n}", {}).get("submit_posts", 0) for n in self._jobs()]
        return [int(str(count)) for count in counted]

    def _jobs(self) -> range:
        return range(1, self.submits + 1)


@pytest.fixture(scope="module")
def simulated(module_fal: Callable[..., FalProcess]) -> FalProcess:
    """One simulated fal for all submits of this module."""
    return module_fal("--speed", "1000")


@pytest.fixture
def door(simulated: FalProcess) -> Door:
    """A door to a simulated fal that has counted nothing yet."""
    request = httpx.Request("POST", f"{simulated.url}/_sim/reset")
    trusted = ssl.create_default_context(cafile=simulated.ca_file)
    with httpx.Client(verify=trusted) as client:
        client.send(request).raise_for_status()
    return Door(simulated)


@pytest.mark.parametrize(
    ("mishap", "kind", "reason"),
    [
        ("answer-lost", "Unknown", "answer_lost"),
        ("connection-cut", "Unknown", "answer_lost"),
        ("status-408", "Unknown", "fal_408"),
        ("status-409", "Unknown", "fal_409"),
        ("status-429=7", "NotAccepted", "fal_busy"),
        ("status-500", "Unknown", "fal_500"),
        ("status-502-nginx", "Unknown", "fal_502"),
        ("status-503", "Unknown", "fal_503"),
        ("status-403", "Refused", "fal_403"),
        ("status-422", "Refused", "fal_422"),
    ],
)
def test_exactly_one_post(door: Door, mishap: str, kind: str, reason: str) -> None:
    """Whatever becomes of a POST, one submit lets exactly one out and names its outcome."""
    outcome = door.submit(mishap)
    assert (kind, reason, [1]) == (outcome["kind"], outcome["reason"], door.posts())


def test_accepted(door: Door) -> None:
    """A submit that fal takes gives its request id and fal's own addresses, after one POST."""
    outcome = door.submit("")
    request_id = str(outcome["request_id"])
    base = f"{door.fal.url}/fal-ai/kling-video/requests/{request_id}"
    assert (base, f"{base}/cancel", [1]) == (
        outcome["response_url"],
        outcome["cancel_url"],
        door.posts(),
    )


def test_retry_after_is_kept(door: Door) -> None:
    """The wait that a 429 asks for reaches the pipeline, in seconds."""
    assert 7.0 == door.submit("status-429=7")["after"]


def test_no_connection_is_surely_not_accepted(door: Door) -> None:
    """Where no connection can be made nothing was posted, and the job may be tried again."""
    outcome = door.submit("", FAL_QUEUE_RUN_HOST="127.0.0.1:1")
    assert ("NotAccepted", "fal_unreachable", [0]) == (
        outcome["kind"],
        outcome["reason"],
        door.posts(),
    )


def test_a_stranger_behind_the_host_gets_no_post(door: Door) -> None:
    """A host whose certificate is not trusted never sees the key or the job."""
    outcome = door.submit("", SSL_CERT_FILE=httpx_roots())
    assert ("NotAccepted", [0]) == (outcome["kind"], door.posts())


def test_no_prompt_and_no_key_in_a_refusal(door: Door) -> None:
    """What fal echoes of the input stays out of the sentence that is kept."""
    sentence = str(door.submit("status-422")["sentence"])
    assert (False, False) == ("fox" in sentence, door.fal.environment["FAL_KEY"] in sentence)


def httpx_roots() -> str:
    """Public roots alone, without the simulated fal's own."""
    import certifi  # noqa: PLC0415  # httpx brings it

    return certifi.where()


def answer(status: int, **more: object) -> httpx.Response:
    """An answer of some transport below OnePost."""
    return httpx.Response(status, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [301, 307, 308])
def test_a_redirect_is_no_second_post(status: int) -> None:
    """A redirected POST counts as unknown rather than being sent anew."""
    inner = httpx.MockTransport(lambda _request: answer(status, headers={"location": "/again"}))
    with pytest.raises(AnswerLost):
        SinglePostTransport(inner).handle_request(httpx.Request("POST", "https://queue.fal.run/x"))


def test_a_transport_is_spent_after_one_request() -> None:
    """Even a caller that tries again gets nothing out through the same transport."""
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
    """A fault while the answer is read counts as a lost answer, not as one to repeat."""

    class Broken(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield b'{"request_id"'
            raise httpx.ReadError("gone")

    inner = httpx.MockTransport(lambda _request: answer(200, stream=Broken()))
    with pytest.raises(AnswerLost):
        SinglePostTransport(inner).handle_request(httpx.Request("POST", "https://queue.fal.run/x"))


def submitted(handler: Callable[[httpx.Request], httpx.Response], **arguments: object) -> Accepted:
    """What worker.fal.client makes of fal-client's submit over a transport of the test."""
    fal = FalClient("id:secret", transport=httpx.MockTransport(handler))
    return fal.submit(ENDPOINT, arguments, "https://hooks.example.com/w")  # type: ignore[arg-type]


def test_only_the_request_id_of_an_answer_is_needed() -> None:
    """An answer without fal's addresses, which fal-client cannot read, is an accepted job."""
    accepted = submitted(lambda _request: answer(200, json={"request_id": "r1"}), prompt="A fox")
    assert Accepted(request_id="r1", response_url="", cancel_url="") == accepted


@pytest.mark.parametrize("content", [b"{}", b"not JSON", b'{"request_id": 7}', b"[]"])
def test_an_answer_without_a_request_id_is_unknown(content: bytes) -> None:
    """Fal may have taken the job of a 200 that says nothing."""
    with pytest.raises(AnswerLost):
        submitted(lambda _request: answer(200, content=content), prompt="A fox")


def test_what_cannot_be_sent_is_refused() -> None:
    """Arguments that no JSON can hold never leave, so that nobody waits for their callback."""
    with pytest.raises(SubmitRejected):
        submitted(lambda _request: answer(200, json={}), prompt=object())
