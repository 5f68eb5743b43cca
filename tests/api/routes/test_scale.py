"""The signal for autoscalers."""

from collections.abc import Iterator

import httpx
import pytest

from api.models.scale import Pool
from api.routes.scale import STATES, Scale, operations
from tests.factories.served_routes import served
from webhook.contract import ROUTES, Queue
from worker.api_keys.scopes import Scope
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore
from worker.pipeline import STEPS


@pytest.fixture
def client(redis_url: str, records: JobStore) -> Iterator[httpx.Client]:
    """A client whose key allows the signal alone."""
    with served(operations(Scale(store=records)), redis_url) as server:
        yield server.client(scopes=frozenset({Scope.SCALE}))


def test_the_work_of_every_tenant_counts(client: httpx.Client, records: JobStore) -> None:
    """Each pool has the jobs in the states that its steps take, at work or not."""
    given = (
        ("a", "default", JobState.DOWNLOADED),
        ("b", "shop", JobState.DOWNLOADED),
        ("c", "shop", JobState.RENDERED),
        ("d", "shop", JobState.TAGGED),
        ("e", "shop", JobState.QUEUED),
    )
    for job_id, tenant, state in given:
        job = Job(id=job_id, endpoint="owner/app", arguments={}, tenant=tenant, state=state)
        records.add(job, due=records.clock() + 60, event={"name": "created"})
    pools = {pool: client.get("/v1/scale", params={"pool": pool}).json() for pool in Pool}
    assert {"media": 2, "publish": 2} == {pool: found["jobs"] for pool, found in pools.items()}


def test_other_pools_have_no_signal(client: httpx.Client) -> None:
    """submit is not sized by its backlog, so there is no number for it."""
    assert 400 <= client.get("/v1/scale", params={"pool": "submit"}).status_code < 500


def test_pools_are_queues_and_their_steps() -> None:
    """The states of a pool are those that the steps of its queue take."""
    for pool in Pool:
        taken = {step.takes for step in STEPS if ROUTES[step.task] == Queue(f"falhook.{pool}")}
        assert taken == set(STATES[pool])
