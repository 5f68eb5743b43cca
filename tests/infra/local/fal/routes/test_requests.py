"""Results, states and cancelling of the simulated fal, and the controls."""

from collections.abc import Iterator

import pytest

from tests.factories.simulated_fal import FalOverHttp, fal_running


@pytest.fixture(scope="module")
def fal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FalOverHttp]:
    with fal_running(tmp_path_factory.getbasetemp() / "requests") as running:
        yield running


def _url(request_id: str) -> str:
    return f"/fal-ai/kling-video/requests/{request_id}"


def test_a_finished_job_has_a_result_and_a_state(fal: FalOverHttp) -> None:
    """Result and status answer 200 when a render is over, and each look is counted."""
    request_id = fal.submit()
    fal.wait("render", request_id)
    status = fal.http.get(f"{_url(request_id)}/status")
    assert (200, "COMPLETED") == (status.status_code, status.json()["status"])
    assert 200 == fal.http.get(_url(request_id)).status_code
    counts = fal.counts()["requests"][request_id]
    assert (1, 1, 1, 0) == tuple(counts[kind] for kind in ("submit", "status", "result", "cdn"))


def test_a_failed_job_is_completed_too(fal: FalOverHttp) -> None:
    """The status says COMPLETED with an error; the result has the error's own code."""
    request_id = fal.submit("error-platform")
    fal.wait("render", request_id)
    status = fal.http.get(f"{_url(request_id)}/status").json()
    assert ("COMPLETED", "runner_disconnected") == (status["status"], status["error_type"])
    assert 503 == fal.http.get(_url(request_id)).status_code


def test_unknown_requests_are_not_found(fal: FalOverHttp) -> None:
    """An unknown id, another app's id and a result that is gone are 404."""
    known = fal.submit("result-404")
    fal.wait("render", known)
    urls = [_url("no-such"), f"/fal-ai/kling-image/requests/{known}", _url(known)]
    assert [404] * 3 == [fal.http.get(url).status_code for url in urls]
    assert {"status": "NOT_FOUND"} == fal.http.put(f"{_url('no-such')}/cancel").json()


def test_a_result_is_for_its_owner_alone(fal: FalOverHttp) -> None:
    """Without the key there is no result."""
    request_id = fal.submit()
    assert 401 == fal.http.get(_url(request_id), headers={"Authorization": ""}).status_code


@pytest.mark.parametrize(
    ("mishap", "statuses"),
    [("", ["OK"]), ("cancel=error", ["ERROR"]), ("cancel=silent", [])],
)
def test_cancelling_a_running_job_is_a_wish(
    fal: FalOverHttp, mishap: str, statuses: list[str]
) -> None:
    """A running job may go on, end with an error, or end in silence."""
    box = fal.receiver.mailbox()
    request_id = fal.submit(f"callback-hold,{mishap}", box=box)
    fal.wait("callback_held", request_id)
    asked = fal.http.put(f"{_url(request_id)}/cancel")
    assert (202, "CANCELLATION_REQUESTED") == (asked.status_code, asked.json()["status"])
    fal.http.post(f"/_sim/release/{request_id}")
    fal.wait("render", request_id)
    late = fal.http.put(f"{_url(request_id)}/cancel")
    assert (400, "ALREADY_COMPLETED") == (late.status_code, late.json()["status"])
    assert statuses == [callback.json["status"] for callback in box.wait(len(statuses))]


def test_cancelling_a_waiting_job_ends_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A job that waits is taken out of the queue, without a callback."""
    place = tmp_path_factory.getbasetemp() / "one-slot"
    with fal_running(place, "--concurrency", "1") as narrow:
        narrow.submit("render=3000")
        box = narrow.receiver.mailbox()
        waiting = narrow.submit(box=box)
        assert 202 == narrow.http.put(f"{_url(waiting)}/cancel").status_code
        status = narrow.http.get(f"{_url(waiting)}/status").json()
        assert ("COMPLETED", "client_cancelled") == (status["status"], status["error_type"])
        assert [] == box.received


def test_what_was_submitted_can_be_looked_at(fal: FalOverHttp) -> None:
    """The control shows inputs and fal's own headers, without the callback's secret."""
    box = fal.receiver.mailbox()
    request_id = fal.submit("cdn-404", box=box, headers={"X-Fal-Queue-Priority": "low"})
    jobs = {job["request_id"]: job for job in fal.http.get("/_sim/requests").json()}
    job = jobs[request_id]
    assert ("5", {"x-fal-queue-priority": "low"}) == (job["arguments"]["duration"], job["headers"])
    assert ({"cdn-404": ""}, True) == (job["mishaps"], "secret-token" not in job["webhook"])


def test_a_wait_ends_in_time(fal: FalOverHttp) -> None:
    """A wait for what does not come ends at its limit, and says what it saw."""
    answer = fal.http.get("/_sim/wait", params={"event": "other", "count": "99", "timeout": "0.05"})
    assert (408, False) == (answer.status_code, answer.json()["seen"])
    assert 400 == fal.http.get("/_sim/wait", params={"event": "nothing"}).status_code
    assert 200 == fal.wait("submitted", count=0).status_code


def test_the_help_tells_mishaps_and_controls(fal: FalOverHttp) -> None:
    """The root is a plain text that names them all."""
    text = fal.http.get("/").text
    assert [True, True] == [part in text for part in ("callback-twice", "/_sim/counts")]


def test_an_unknown_address_is_counted(fal: FalOverHttp) -> None:
    """What fal does not have is 404, and seen."""
    before = fal.counts()["total"]["other"]
    assert 404 == fal.http.get("/v1/nothing/at/all").status_code
    assert before + 1 == fal.counts()["total"]["other"]


def test_a_reset_forgets_everything(fal: FalOverHttp) -> None:
    """After a reset there are no jobs and no counts, and deliveries have ended."""
    request_id = fal.submit("callback-never", box=fal.receiver.mailbox())
    fal.wait("callback_held", request_id)
    fal.http.post("/_sim/reset")
    counts = fal.counts()
    assert ({}, 0) == (counts["requests"], counts["total"]["submit_posts"])
    assert 404 == fal.http.get(_url(request_id)).status_code
