"""Results, statuses and cancellation of the simulated fal, and the controls."""

from collections.abc import Iterator

import pytest

from tests.factories.simulated_fal import FalOverHttp, fal_running


@pytest.fixture(scope="module")
def fal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FalOverHttp]:
    with fal_running(tmp_path_factory.getbasetemp() / "requests") as running:
        yield running


def _url(request_id: str) -> str:
    return f"/fal-ai/kling-video/requests/{request_id}"


def test_a_finished_job_has_a_result_and_a_status(fal: FalOverHttp) -> None:
    """After the render, result and status return 200, and each request is counted."""
    request_id = fal.submit()
    fal.wait("render", request_id)
    status = fal.http.get(f"{_url(request_id)}/status")
    assert (200, "COMPLETED") == (status.status_code, status.json()["status"])
    assert 200 == fal.http.get(_url(request_id)).status_code
    counts = fal.counts()["requests"][request_id]
    assert (1, 1, 1, 0) == tuple(counts[kind] for kind in ("submit", "status", "result", "cdn"))


def test_a_failed_job_is_completed_too(fal: FalOverHttp) -> None:
    """The status is COMPLETED with an error; the result has the error's HTTP status."""
    request_id = fal.submit("error-platform")
    fal.wait("render", request_id)
    status = fal.http.get(f"{_url(request_id)}/status").json()
    assert ("COMPLETED", "runner_disconnected") == (status["status"], status["error_type"])
    result = fal.http.get(_url(request_id))
    expected = (503, "runner_disconnected", "runner_disconnected")
    kinds = (result.headers["x-fal-error-type"], result.json()["error_type"])
    assert expected == (result.status_code, *kinds)


def test_unknown_requests_are_not_found(fal: FalOverHttp) -> None:
    """An unknown id, an id of another app and a missing result are 404."""
    known = fal.submit("result-404")
    fal.wait("render", known)
    urls = [_url("no-such"), f"/fal-ai/kling-image/requests/{known}", _url(known)]
    assert [404] * 3 == [fal.http.get(url).status_code for url in urls]
    unknown = [
        fal.http.put(f"{_url('no-such')}/cancel"),
        fal.http.get(f"{_url('no-such')}/status"),
        fal.http.get(_url("no-such")),
    ]
    assert [{"status": "NOT_FOUND"}] * 3 == [answer.json() for answer in unknown]


def test_a_result_needs_the_key(fal: FalOverHttp) -> None:
    """Without the key a result is answered 401."""
    request_id = fal.submit()
    assert 401 == fal.http.get(_url(request_id), headers={"Authorization": ""}).status_code


@pytest.mark.parametrize(
    ("mishap", "statuses"),
    [("", ["OK"]), ("cancel=error", ["ERROR"]), ("cancel=silent", [])],
)
def test_cancelling_a_running_job_follows_its_mishap(
    fal: FalOverHttp, mishap: str, statuses: list[str]
) -> None:
    """A cancelled running job continues, ends with an error, or ends without a callback."""
    box = fal.receiver.mailbox()
    request_id = fal.submit(f"callback-hold,{mishap}", box=box)
    fal.wait("callback_held", request_id)
    cancelled = fal.http.put(f"{_url(request_id)}/cancel")
    assert (202, "CANCELLATION_REQUESTED") == (cancelled.status_code, cancelled.json()["status"])
    fal.http.post(f"/_sim/release/{request_id}")
    fal.wait("render", request_id)
    late = fal.http.put(f"{_url(request_id)}/cancel")
    assert (400, "ALREADY_COMPLETED") == (late.status_code, late.json()["status"])
    assert statuses == [callback.json["status"] for callback in box.wait(len(statuses))]


def test_cancelling_a_waiting_job_ends_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A cancelled waiting job leaves the queue without a callback."""
    directory = tmp_path_factory.getbasetemp() / "one-slot"
    with fal_running(directory, "--concurrency", "1") as narrow:
        narrow.submit("render=3000")
        box = narrow.receiver.mailbox()
        waiting = narrow.submit(box=box)
        assert 202 == narrow.http.put(f"{_url(waiting)}/cancel").status_code
        status = narrow.http.get(f"{_url(waiting)}/status").json()
        assert ("COMPLETED", "client_cancelled") == (status["status"], status["error_type"])
        result = narrow.http.get(_url(waiting))
        kinds = (result.headers["x-fal-error-type"], result.json()["error_type"])
        assert (499, "client_cancelled", "client_cancelled") == (result.status_code, *kinds)
        assert [] == box.received


@pytest.mark.parametrize("app", ["workflows/acme/teaser", "comfy/acme/graph"])
def test_the_addresses_of_a_namespace_have_three_segments(
    tmp_path_factory: pytest.TempPathFactory, app: str
) -> None:
    """Result, status and cancel of a workflow or a Comfy graph are below namespace/owner/name."""
    directory = tmp_path_factory.getbasetemp() / "namespaces"
    with fal_running(directory, "--app", app) as running:
        accepted = running.post("callback-hold", endpoint=app).json()
        origin = str(running.http.base_url).rstrip("/")
        base = f"{origin}/{app}/requests/{accepted['request_id']}"
        expected = [base, f"{base}/status", f"{base}/cancel"]
        names = ("response_url", "status_url", "cancel_url")
        assert expected == [accepted[name] for name in names]
        answers = [
            running.http.get(accepted["response_url"]),
            running.http.get(accepted["status_url"]),
            running.http.get(f"{base.replace(app, 'acme/teaser')}/status"),
            running.http.put(accepted["cancel_url"]),
        ]
        assert [400, 202, 404, 202] == [answer.status_code for answer in answers]
        assert {"detail": "Request is still in progress"} == answers[0].json()


def test_submitted_requests_are_listed(fal: FalOverHttp) -> None:
    """The control lists inputs and fal's headers, without the callback's secret."""
    box = fal.receiver.mailbox()
    request_id = fal.submit("cdn-404", box=box, headers={"X-Fal-Queue-Priority": "low"})
    jobs = {job["request_id"]: job for job in fal.http.get("/_sim/requests").json()}
    job = jobs[request_id]
    assert ("5", {"x-fal-queue-priority": "low"}) == (job["arguments"]["duration"], job["headers"])
    assert ({"cdn-404": ""}, True) == (job["mishaps"], "secret-token" not in job["webhook"])


def test_a_wait_has_a_timeout(fal: FalOverHttp) -> None:
    """A wait for an event that does not come returns 408; an unknown event is 400."""
    answer = fal.http.get("/_sim/wait", params={"event": "other", "count": "99", "timeout": "0.05"})
    assert (408, False) == (answer.status_code, answer.json()["seen"])
    assert 400 == fal.http.get("/_sim/wait", params={"event": "nothing"}).status_code
    assert 200 == fal.wait("submitted", count=0).status_code


def test_the_help_lists_mishaps_and_controls(fal: FalOverHttp) -> None:
    """The root is a plain text with mishaps and controls."""
    text = fal.http.get("/").text
    assert [True, True] == [part in text for part in ("callback-twice", "/_sim/counts")]


def test_an_unknown_address_is_counted(fal: FalOverHttp) -> None:
    """An unknown path is 404, and counted."""
    before = fal.counts()["total"]["other"]
    assert 404 == fal.http.get("/v1/nothing/at/all").status_code
    assert before + 1 == fal.counts()["total"]["other"]


def test_a_reset_forgets_everything(fal: FalOverHttp) -> None:
    """A reset deletes all jobs and counts, and ends deliveries."""
    request_id = fal.submit("callback-never", box=fal.receiver.mailbox())
    fal.wait("callback_held", request_id)
    fal.http.post("/_sim/reset")
    counts = fal.counts()
    assert ({}, 0) == (counts["requests"], counts["total"]["submit_posts"])
    assert 404 == fal.http.get(_url(request_id)).status_code
