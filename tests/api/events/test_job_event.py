"""Events as the API has them."""

import json

from api.models.event import JobEvent
from tests.factories.world import World
from worker.jobs.history import history
from worker.jobs.job import JobState

MOVED = {"id": "job1", "job": "job1", "at": "1.5", "name": "moved", "from": "TAGGED"}


def shown(**fields: str) -> dict[str, object]:
    """Return the event of a stream's entry as a client reads it."""
    event = JobEvent.of("1-0@2a", {**MOVED, "to": "PUBLISHED", **fields})
    found: dict[str, object] = json.loads(event.as_json())
    return found


def test_texts_become_what_they_mean() -> None:
    """Numbers are numbers, files addresses of the API, metadata an object; the rest is left out."""
    assert {
        "id": "job1",
        "event": "1-0@2a",
        "at": 1.5,
        "name": "moved",
        "from": "TAGGED",
        "to": "PUBLISHED",
        "state": "PUBLISHED",
        "attempt": 2,
        "metadata": {"title": "Fox"},
        "files": ["/v1/jobs/job1/files/video.mp4"],
        "manifest": "/v1/jobs/job1/files/manifest.json",
    } == shown(
        attempt="2",
        metadata='{"title": "Fox"}',
        files='["s3://bucket/published/job1/video.mp4"]',
        manifest="s3://bucket/published/job1/manifest.json",
        reason="",
    )


def test_other_fields_stay_inside() -> None:
    """Also a number of files, which earlier steps have under that name."""
    assert shown() == shown(files="3", skipped="1", prompt="A secret fox", said="{}")


def test_the_history_of_a_job_has_the_same_form(world: World) -> None:
    """Its events have no id of their own."""
    world.add_submitted()
    events = [JobEvent.of("", event) for event in history(world.job())]
    assert ([None] * 3, JobState.SUBMITTED) == (
        [event.event for event in events],
        events[-1].state,
    )


def test_the_schema_names_what_is_sent() -> None:
    """Each field is described under the name that clients read."""
    schema = JobEvent.model_json_schema(mode="serialization")
    assert {"from", "state", "files"} <= set(schema["properties"]) - {"from_"}
    assert {"id", "at", "name", "to", "state"} == set(schema["required"])
