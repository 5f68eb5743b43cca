"""What a result means for its job."""

import pytest

from tests.factories.world import ENDPOINT, VIDEO
from worker.errors import Permanent
from worker.fal.result import video_address
from worker.jobs.job import Job, JobState
from worker.steps.callbacks import rendered, unrendered
from worker.types import Json


def test_the_address_of_a_video() -> None:
    """A File may lack everything but its address."""
    assert "https://v3b.fal.media/files/b/0a/output.mp4" == video_address(VIDEO)


def job(**fields: int) -> Job:
    """A job that waits for its result."""
    return Job(id="j1", endpoint=ENDPOINT, arguments={}, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("payload", [None, {}, {"video": None}, {"video": {"url": ""}}, [], "x", 7])
def test_a_result_without_any_file_fails(payload: Json) -> None:
    """Where a file was to come: in words, with the payload kept for a person."""
    outcome = rendered(job(), payload, {"request_id": "r"})
    assert (JobState.FAILED, "no_video", payload) == (
        outcome.to,
        outcome.set["reason"],
        outcome.set["payload"],
    )


@pytest.mark.parametrize(
    ("payload", "to", "reason"),
    [
        ({"voice_id": "v-829"}, JobState.RENDERED, ""),
        ({"output": None}, JobState.RENDERED, ""),
        (VIDEO, JobState.RENDERED, ""),
        ({}, JobState.FAILED, "no_result"),
        ([], JobState.FAILED, "no_result"),
        ("", JobState.FAILED, "no_result"),
        (None, JobState.FAILED, "no_result"),
        ([1, 2], JobState.RENDERED, ""),
        ("a text", JobState.RENDERED, ""),
        (0, JobState.RENDERED, ""),
        (False, JobState.RENDERED, ""),
    ],
)
def test_where_no_file_is_needed_any_result_will_do(
    payload: Json, to: JobState, reason: str
) -> None:
    """Any but an empty one."""
    outcome = rendered(job(needs_file=0), payload, {})
    assert (to, reason, payload) == (outcome.to, outcome.set["reason"], outcome.set["payload"])


def test_a_render_clears_what_was_wrong_before() -> None:
    """A revived job no longer says why it had expired."""
    outcome = rendered(job(), VIDEO, {"request_id": "r"})
    assert (JobState.RENDERED, "", "", "r") == (
        outcome.to,
        outcome.set["reason"],
        outcome.set["sentence"],
        outcome.event["request_id"],
    )


def test_a_refusal_is_told_on_record_and_event() -> None:
    """The reason stands on the record and in the history alike."""
    outcome = unrendered(Permanent("content_policy_violation", "flagged"), {"callback": "f"})
    assert ("content_policy_violation", "content_policy_violation", "f") == (
        outcome.set["reason"],
        outcome.event["reason"],
        outcome.set["callback"],
    )
