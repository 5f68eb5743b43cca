"""Submits to the simulated fal, over plain HTTP and with the unmodified fal-client."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.factories.simulated_fal import TEXT_TO_VIDEO, FalOverHttp, fal_running, run_client


@pytest.fixture(scope="module")
def fal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FalOverHttp]:
    with fal_running(tmp_path_factory.getbasetemp() / "submit", "--app", "acme/own") as running:
        yield running


def _posts(fal: FalOverHttp, url: str) -> tuple[int, int]:
    seen = fal.counts()["webhooks"].get(url.replace("secret-token", "-"), {})
    return seen.get("submit_posts", 0), seen.get("submit", 0)


def test_an_accepted_job_is_answered_like_fal(fal: FalOverHttp) -> None:
    """The response has a UUIDv7 and URLs with owner and alias only."""
    answer = fal.post()
    body = answer.json()
    base = f"{fal.http.base_url}/fal-ai/kling-video/requests/{body['request_id']}".replace(
        "//fal-ai", "/fal-ai"
    )
    expected = {
        "status": "IN_QUEUE",
        "request_id": body["request_id"],
        "gateway_request_id": body["request_id"],
        "response_url": base,
        "status_url": f"{base}/status",
        "cancel_url": f"{base}/cancel",
        "queue_position": 0,
    }
    assert expected == body
    assert body["request_id"] == answer.headers["x-fal-request-id"]
    assert 7 == uuid.UUID(body["request_id"]).version


def test_request_ids_are_ordered_by_time(fal: FalOverHttp) -> None:
    """A job that is submitted later has a greater id."""
    first = fal.submit()
    fal.wait("render", first)
    assert first < fal.submit()


@pytest.mark.parametrize("header", ["", "Key no:pe", "Bearer {key}", "{key}"])
def test_only_the_accounts_key_is_accepted(fal: FalOverHttp, header: str) -> None:
    """Any authorization other than `Key <the key>` is answered 401."""
    value = header.format(key=fal.environment["FAL_KEY"])
    answer = fal.post(headers={"Authorization": value})
    assert (401, str) == (answer.status_code, type(answer.json()["detail"]))


def test_an_unknown_app_is_not_found(fal: FalOverHttp) -> None:
    """The submit checks owner and alias; --app adds apps."""
    assert 404 == fal.post(endpoint="fal-ai/no-such-app/x").status_code
    assert 200 == fal.post(endpoint="acme/own/anything").status_code


def test_an_unknown_path_of_a_known_app_fails_the_render(fal: FalOverHttp) -> None:
    """The rest of the endpoint is checked by the render, not by the submit."""
    (callback,) = fal.delivered(endpoint="fal-ai/kling-video/v9/nothing")
    assert "Invalid status code: 404" == callback.json["error"]


def test_a_malformed_body_is_refused(fal: FalOverHttp) -> None:
    """A body that is not JSON is answered 400 with an error type."""
    answer = fal.http.post(f"/{TEXT_TO_VIDEO}", content=b"{nope")
    assert (400, "bad_request") == (answer.status_code, answer.headers["x-fal-error-type"])


@pytest.mark.parametrize("url", ["ftp://a.example/x", "nothing", "http://"])
def test_a_callback_address_must_be_http(fal: FalOverHttp, url: str) -> None:
    """Addresses other than http and https are refused."""
    assert 400 == fal.post(params={"fal_webhook": url}).status_code


def test_an_unknown_mishap_is_refused(fal: FalOverHttp) -> None:
    """An unknown mishap is answered 400 with its name."""
    answer = fal.post(headers={"X-Sim-Mishap": "no-such-thing"})
    assert (400, True) == (answer.status_code, "no-such-thing" in answer.json()["detail"])


@pytest.mark.parametrize(
    ("mishap", "status"),
    [
        ("status-403", 403),
        ("status-408", 408),
        ("status-409", 409),
        ("status-422", 422),
        ("status-429=7", 429),
        ("status-500", 500),
        ("status-502-nginx", 502),
        ("status-503", 503),
    ],
)
def test_a_refused_submit_creates_no_job(fal: FalOverHttp, mishap: str, status: int) -> None:
    """By header or by mark, the POST is counted and refused as requested, without a job."""
    box = fal.receiver.mailbox()
    answers = [fal.post(mishap, box=box), fal.post(box=box, headers={"X-Sim-Mishap": mishap})]
    assert [status, status] == [answer.status_code for answer in answers]
    assert (2, 0) == _posts(fal, box.url)
    ingress = "nginx" in answers[0].text
    assert ingress is ("x-fal-request-id" not in answers[0].headers)
    assert ("7" if status == 429 else None) == answers[0].headers.get("retry-after")


def test_a_refusal_can_be_limited_to_the_first_posts(fal: FalOverHttp) -> None:
    """With `times=2` the third POST is accepted."""
    box = fal.receiver.mailbox()
    answers = [fal.post("status-503, times=2", box=box).status_code for _ in range(3)]
    assert [503, 503, 200] == answers
    assert (3, 1) == _posts(fal, box.url)


@pytest.mark.parametrize("mishap", ["status-500, accepted", "status-408, accepted"])
def test_an_error_response_can_hide_an_accepted_job(fal: FalOverHttp, mishap: str) -> None:
    """With `accepted` the job runs and calls back although the response was an error."""
    box = fal.receiver.mailbox()
    assert fal.post(mishap, box=box).is_error
    box.wait()
    assert (1, 1) == _posts(fal, box.url)


def test_a_lost_answer_leaves_an_accepted_job(fal: FalOverHttp) -> None:
    """`answer-lost` closes the connection without a response; the callback comes."""
    box = fal.receiver.mailbox()
    with pytest.raises(httpx.RemoteProtocolError):
        fal.post("answer-lost", box=box)
    box.wait()
    assert (1, 1) == _posts(fal, box.url)


def test_a_cut_connection_leaves_no_job(fal: FalOverHttp) -> None:
    """`connection-cut` resets the connection without a job."""
    box = fal.receiver.mailbox()
    with pytest.raises(httpx.TransportError):
        fal.post("connection-cut", box=box)
    assert (1, 0) == _posts(fal, box.url)


def test_a_slow_answer_outlasts_the_client(fal: FalOverHttp) -> None:
    """`answer-slow` delays the response in real time while the job continues."""
    box = fal.receiver.mailbox()
    slow = fal.http.build_request(
        "POST",
        f"/{TEXT_TO_VIDEO}",
        params={"fal_webhook": box.url},
        json={"prompt": "[[sim: answer-slow=30]]"},
        timeout=0.2,
    )
    with pytest.raises(httpx.ReadTimeout):
        fal.http.send(slow)
    box.wait()
    assert (1, 1) == _posts(fal, box.url)


def test_the_callback_can_come_before_the_answer(fal: FalOverHttp) -> None:
    """`callback-before-answer` answers the submit after the callback was answered."""
    box = fal.receiver.mailbox()
    request_id = fal.submit("callback-before-answer", box=box)
    assert [request_id] == [callback.request_id for callback in box.received]


def test_a_submit_can_limit_the_queue_length(tmp_path_factory: Any) -> None:
    """`fal_max_queue_length` returns 429 if more jobs are waiting."""
    directory = tmp_path_factory.getbasetemp() / "narrow"
    with fal_running(directory, "--concurrency", "1") as narrow:
        running = narrow.submit("render=3000")
        waiting = narrow.submit()
        full = narrow.post(params={"fal_max_queue_length": "0"})
        patient = narrow.post(params={"fal_max_queue_length": "5"})
        states = {
            job["request_id"]: job["state"] for job in narrow.http.get("/_sim/requests").json()
        }
    assert (429, 1) == (full.status_code, patient.json()["queue_position"])
    assert ("IN_PROGRESS", "IN_QUEUE") == (states[running], states[waiting])


_CLIENT = """
import json, os, sys, fal_client
client = fal_client.SyncClient(key=os.environ["FAL_KEY"])
outcomes = []
for case in json.loads(sys.argv[1]):
    try:
        handle = client.submit(
            "fal-ai/kling-video/v2.1/master/text-to-video",
            {"prompt": f"a heron [[sim: {case['mishaps']}]]" if case["mishaps"] else "a heron"},
            webhook_url=case["url"],
        )
    except fal_client.client.FalClientHTTPError as refused:
        outcomes.append(refused.status_code)
    else:
        outcomes.append(handle.request_id)
print(json.dumps(outcomes))
"""


def test_the_unmodified_client_behaves_as_with_fal(fal: FalOverHttp) -> None:
    """fal-client submits over verified TLS, and repeats its POST as it does with fal."""
    table = {
        # Mishaps: POSTs, jobs, and the status that the client raises, if any.
        "": (1, 1, None),
        "status-500": (1, 0, 500),
        "status-503": (1, 0, 503),
        "status-403": (1, 0, 403),
        "status-422": (1, 0, 422),
        "status-429, times=1": (2, 1, None),
        "status-408, times=1": (2, 1, None),
        "status-409, accepted, times=1": (2, 2, None),
        "status-502-nginx, times=1": (2, 1, None),
        "connection-cut, times=1": (2, 1, None),
        "answer-lost, times=1": (2, 2, None),
    }
    boxes = {mishaps: fal.receiver.mailbox() for mishaps in table}
    cases = [{"mishaps": mishaps, "url": box.url} for mishaps, box in boxes.items()]
    outcomes = json.loads(run_client(fal, _CLIENT, json.dumps(cases)))
    raised = [outcome if isinstance(outcome, int) else None for outcome in outcomes]
    seen = {mishaps: _posts(fal, box.url) for mishaps, box in boxes.items()}
    assert {name: row[:2] for name, row in table.items()} == seen
    assert [row[2] for row in table.values()] == raised
    assert outcomes[0] == boxes[""].wait()[0].request_id
