"""Faults of fal and of the network, on the whole system of real processes."""

import signal

import pytest

from tests.factories.listed import history_of
from tests.faults.system import StormSystem
from tests.faults.waiting import until
from worker.jobs.job import JobState

S = JobState
pytestmark = [pytest.mark.faults, pytest.mark.timeout(150)]


@pytest.mark.parametrize(
    ("mishap", "end", "posts"),
    [
        ("answer-lost", S.PUBLISHED, 1),
        ("connection-cut", S.EXPIRED, 1),
        ("connection-cut, accepted", S.PUBLISHED, 1),
        ("status-408, accepted", S.PUBLISHED, 1),
        ("status-409, accepted", S.PUBLISHED, 1),
        ("status-503, accepted", S.PUBLISHED, 1),
        ("status-502-nginx", S.EXPIRED, 1),
        ("answer-slow=600", S.PUBLISHED, 1),
        ("status-429=2, times=2", S.PUBLISHED, 3),
        ("callback-before-answer", S.PUBLISHED, 1),
        ("callback-twice", S.PUBLISHED, 1),
        ("callback-many=50", S.PUBLISHED, 1),
        ("callback-stale", S.PUBLISHED, 1),
        ("conflicting", S.PUBLISHED, 1),
        ("callback-late=800", S.PUBLISHED, 1),
    ],
)
def test_one_payment_and_the_right_end(
    shared: StormSystem, mishap: str, end: JobState, posts: int
) -> None:
    """With any fault in a submit or its callback, the job ends correctly and is paid for once."""
    job_id = "".join(letter for letter in mishap if letter.isalnum())
    shared.add(job_id, f"A fox [[sim: {mishap}]]")
    until(lambda: shared.job(job_id).state is end, f"{job_id} is {end}", 60)
    seen = shared.counts(job_id)
    accepted = min(1, seen["submit"])
    assert (posts, accepted, 0) == (seen["submit_posts"], seen["submit"], seen["status"])
    assert 1 >= sum(event == S.PUBLISHED for event in moves(shared, job_id))


def moves(system: StormSystem, job_id: str) -> list[str]:
    """Return the states that the job moved to."""
    events = history_of(system.records, job_id)
    return [event["to"] for event in events if event["to"] != event["from"]]


@pytest.mark.parametrize(
    ("mishap", "end", "gets"),
    [
        ("callback-never", S.PUBLISHED, 1),
        ("callback-never, result-404", S.EXPIRED, 1),
        ("payload-null", S.PUBLISHED, 1),
        ("payload-null, result-404", S.EXPIRED, 1),
    ],
)
def test_a_missing_result_is_one_get(
    shared: StormSystem, mishap: str, end: JobState, gets: int
) -> None:
    """Without a callback, or with an empty one, the result is fetched once, the status never."""
    job_id = "get" + "".join(letter for letter in mishap if letter.isalnum())
    shared.add(job_id, f"A fox [[sim: {mishap}]]")
    assert end is shared.ends(job_id)
    seen = shared.counts(job_id)
    assert (1, gets, 0) == (seen["submit"], seen["result"], seen["status"])
    assert ("callback-never" in mishap) is shared.log("callback.lost", job_id)


@pytest.mark.parametrize(
    ("mishap", "reason"),
    [
        ("error-422", "image_load_error"),
        ("error-policy", "content_policy_violation"),
        ("error-platform", "runner_disconnected"),
        ("status-422", "fal_422"),
        ("status-403", "fal_403"),
        ("cdn-404", None),
        ("cdn-403", None),
        ("file-truncated", None),
    ],
)
def test_a_failure_has_a_reason_and_hides_the_prompt(
    shared: StormSystem, mishap: str, reason: str | None
) -> None:
    """A job that fal refuses or breaks is FAILED with a reason; the prompt is not logged."""
    job_id = "why" + "".join(letter for letter in mishap if letter.isalnum())
    shared.add(job_id, f"A fox called Zebulon [[sim: {mishap}]]")
    until(lambda: shared.job(job_id).reason != "", f"{job_id} has a reason", 100)
    job = shared.job(job_id)
    assert (S.FAILED, True) == (job.state, bool(job.sentence))
    assert reason in {None, job.reason}
    assert (False, False) == ("Zebulon" in job.sentence, shared.log("Zebulon"))


@pytest.mark.parametrize("when", ["before", "during", "after"])
def test_worker_killed_around_the_post(shared: StormSystem, when: str) -> None:
    """After SIGKILL before, in or after the POST, a job is paid for at most once and ends."""
    job_ids = [f"post{when}{number}" for number in range(12)]
    # Callbacks are late, so that the sweep must find out whether fal accepted the POST.
    mark = "[[sim: answer-slow=2, callback-late=700]]" if when == "during" else ""
    for job_id in job_ids:
        shared.add(job_id, f"A fox {mark}")
    conditions = {
        "before": lambda: any(shared.job(job_id).state is S.SUBMITTING for job_id in job_ids),
        "during": lambda: any(shared.counts(job_id)["submit"] for job_id in job_ids),
        "after": lambda: any(shared.job(job_id).state is S.SUBMITTED for job_id in job_ids),
    }
    until(conditions[when], f"{when} the POST", 20)
    shared.kill("submit", signal.SIGKILL)
    ends = [shared.ends(job_id, 110) for job_id in job_ids]
    counts = [shared.counts(job_id) for job_id in job_ids]
    assert {0, 1} >= {seen["submit_posts"] for seen in counts}
    for end, counted in zip(ends, counts, strict=True):
        assert (S.PUBLISHED if counted["submit"] else S.EXPIRED) is end
