"""The fields of events: the names and the metadata that a follower needs."""

import json
from collections.abc import Mapping

import pytest

from tests.factories.world import World
from worker.jobs.change import Change
from worker.jobs.job import JobState
from worker.types import Json

METADATA: Mapping[str, Json] = {"title": "Fox", "customer": "Ann", "n": 7}


@pytest.mark.parametrize("shared", [{}, {"title": "Fox"}, METADATA])
def test_changes_of_state_carry_the_chosen_metadata(
    world: World, shared: Mapping[str, Json]
) -> None:
    """Each change of state has exactly the shared metadata, other events have none."""
    world.add(metadata=METADATA, event_metadata=shared)
    world.store.change("job1", JobState, Change(event={"name": "progress"}))
    world.store.change("job1", JobState, Change(to=JobState.CANCELLED, event={"name": "moved"}))
    found = [json.loads(event.get("metadata", "{}")) for event in world.history()]
    assert [shared, {}, shared] == found


def test_every_event_has_the_id_under_both_names(world: World) -> None:
    """`job` is the older name of `id`."""
    world.add_submitted()
    assert {("job1", "job1")} == {(event["id"], event["job"]) for event in world.history()}
