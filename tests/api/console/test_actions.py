"""What operators do with a job: with a reason, once, and never paying without being told."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.factories.apis import RunningApi, request
from tests.factories.consoles import OURS, Visitor, hidden_fields, visitor
from tests.factories.failed_jobs import add_failed
from worker.api_keys.scopes import Scope
from worker.jobs.history import history
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore, connect


@pytest.fixture
def operator(running: RunningApi) -> Visitor:
    """Somebody who may act."""
    return visitor(running, "acts")


def job_of(running: RunningApi, job_id: str) -> Job:
    """Return the job."""
    with connect(running.redis_url) as redis:
        job = JobStore(redis).get(job_id)
    assert job is not None
    return job


def add(running: RunningApi, job_id: str, *, rendered: bool = True) -> str:
    """Add a failed job; return the path of its page."""
    with connect(running.redis_url) as redis:
        add_failed(JobStore(redis), job_id, tenant="acts", rendered=rendered)
    return f"/console/jobs/{job_id}"


def test_a_retry_keeps_its_reason(running: RunningApi, operator: Visitor) -> None:
    """A job whose result is stored continues for nothing; who and why is in its history."""
    page = add(running, "retried")
    assert "That costs <strong>nothing" in operator.page(page)
    answer = operator.send(f"{page}/retry", page=page, note=" more\n disk ")
    assert (303, f"{page}?done=retry") == (answer.status_code, answer.headers["location"])
    job = job_of(running, "retried")
    assert (JobState.RENDERED, "more disk", "test in the console") == (
        job.state,
        (last := history(job)[-1])["note"],
        last["by"],
    )
    assert "more disk" in operator.page(page)


def test_a_reason_is_required(running: RunningApi, operator: Visitor) -> None:
    """Without one nothing is done."""
    page = add(running, "unreasoned")
    assert 422 == operator.send(f"{page}/retry", page=page, note="  ").status_code
    assert JobState.FAILED is job_of(running, "unreasoned").state


def test_what_would_be_paid_is_said_first(running: RunningApi, operator: Visitor) -> None:
    """A job that fal may bill again needs the form that said so."""
    page = add(running, "paying", rendered=False)
    assert "Render again for $1.40" in operator.page(page)
    form = {"csrf": hidden_fields(operator.page(page))["csrf"], "note": "x", "resubmit": "1"}
    refused = operator.http.post(f"{page}/retry", data=form, headers=OURS)
    assert (409, True) == (refused.status_code, "Nothing was done" in refused.text)
    assert 303 == operator.send(f"{page}/retry", page=page, note="x").status_code
    assert JobState.QUEUED is job_of(running, "paying").state


def test_two_operators_continue_a_job_once(running: RunningApi, operator: Visitor) -> None:
    """The second is told that somebody was faster."""
    page = add(running, "twice")
    other = visitor(running, "acts")
    forms = [(each, hidden_fields(each.page(page))) for each in (operator, other) for _ in range(4)]

    def press(who: tuple[Visitor, dict[str, str]]) -> int:
        data = {**who[1], "note": "x"}
        return who[0].http.post(f"{page}/retry", data=data, headers=OURS).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(press, forms))
    assert [303] + [409] * 7 == statuses
    events = [event["name"] for event in history(job_of(running, "twice"))]
    assert 1 == events.count("replayed")


def test_a_job_is_cancelled_before_its_render(running: RunningApi, operator: Visitor) -> None:
    """One that has not reached fal costs nothing; the reason is kept."""
    job_id = running.client("acts").post("/v1/jobs", json=request()).json()["id"]
    page = f"/console/jobs/{job_id}"
    assert "Cancelling it costs <strong>nothing" in operator.page(page)
    assert 303 == operator.send(f"{page}/cancel", page=page, note="wrong prompt").status_code
    job = job_of(running, job_id)
    assert (JobState.CANCELLED, "wrong prompt") == (job.state, history(job)[-1]["note"])
    again = operator.send(f"{page}/cancel", page=page, note="again")
    assert (409, True) == (again.status_code, "is CANCELLED" in again.text)


def test_viewers_only_look(running: RunningApi) -> None:
    """Without jobs:act there is no form, and one that is sent all the same is refused."""
    page = add(running, "looked-at")
    viewer = visitor(running, "acts", frozenset({Scope.READ}))
    assert "/retry" not in viewer.page(page)
    assert 403 == viewer.send(f"{page}/retry", note="x").status_code
    assert 403 == viewer.http.get("/console/new").status_code


def test_an_expired_session_does_nothing(running: RunningApi, operator: Visitor) -> None:
    """The answer asks to sign in again, and leads back to the job."""
    page = add(running, "expired")
    form = {**hidden_fields(operator.page(page)), "note": "x"}
    operator.http.cookies.clear()
    answer = operator.http.post(f"{page}/retry", data=form, headers=OURS)
    assert (401, True) == (answer.status_code, "nothing was done" in answer.text)
    assert f'name="next" value="{page}"' in answer.text
    assert JobState.FAILED is job_of(running, "expired").state
