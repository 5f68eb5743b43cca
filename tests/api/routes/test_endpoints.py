"""Endpoints and deliveries over the API, with the notifier of another process."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.api.test_jobs import problem
from tests.factories.apis import RunningApi, api, api_environment, request
from tests.factories.notifications import LoopbackSettings, Told, told
from tests.factories.receivers_of_webhooks import Receiver, Reply, receiver
from tests.faults.waiting import until
from worker.api_keys.scopes import USUAL, Scope
from worker.jobs.job import JobState

SCOPES = USUAL | {Scope.ENDPOINTS}


@pytest.fixture
def served(redis_url: str, tmp_path: Path) -> Iterator[RunningApi]:
    """An API that may tell this machine."""
    environ = api_environment(redis_url, tmp_path) | {"FALHOOK_NOTIFY_LOOPBACK": "1"}
    with api(environ) as started:
        yield started


@pytest.fixture
def notifier(served: RunningApi, redis_url: str) -> Iterator[Told]:
    """The notifier."""
    with told(redis_url, time.time, LoopbackSettings()) as created:
        yield created


@pytest.fixture
def target() -> Iterator[Receiver]:
    """A receiver."""
    with receiver() as running:
        yield running


def added(client: httpx.Client, **fields: object) -> dict[str, str]:
    """Add an endpoint; return its id and its secret."""
    answer = client.post("/v1/endpoints", json=fields)
    assert 201 == answer.status_code, answer.text
    made = answer.json()
    return {"id": made["endpoint"]["id"], "secret": made["secret"]}


def test_an_endpoint_from_its_beginning_to_its_end(
    served: RunningApi, notifier: Told, target: Receiver
) -> None:
    """Added, tried, rotated, disabled, enabled and removed; each answer shows its state."""
    client = served.client(scopes=SCOPES)
    made = added(client, url=target.url, description="shop", events=["job.published"])
    own = f"/v1/endpoints/{made['id']}"
    assert ["job.published"] == client.get(own).json()["events"]
    assert [made["id"]] == [each["id"] for each in client.get("/v1/endpoints").json()["endpoints"]]
    rotated = client.post(f"{own}:rotate").json()
    sample = client.post(f"{own}:test")
    assert 202 == sample.status_code
    notifier.notifier.run()
    [message] = target.received
    assert message.verified(made["secret"]) == message.verified(rotated["secret"])
    delivery = client.get(f"/v1/deliveries/{sample.json()['delivery']}").json()
    assert ("endpoint.test", "delivered") == (delivery["type"], delivery["state"])
    assert ("disabled", "by_hand") == _state(client.post(f"{own}:disable"))
    assert (409, "wrong_state", "never") == problem(client.post(f"{own}:test"))
    assert ("enabled", "") == _state(client.post(f"{own}:enable"))
    assert 204 == client.delete(own).status_code
    assert (404, "not_found", "never") == problem(client.get(own))


def _state(answer: httpx.Response) -> tuple[str, str]:
    return answer.json()["state"], answer.json()["why"]


def test_deliveries_are_read_and_sent_again(
    served: RunningApi, notifier: Told, target: Receiver
) -> None:
    """A job's end is told; what came of it is listed by endpoint, job and state, and re-sent."""
    target.answer = lambda _request: Reply(410)
    client = served.client(scopes=SCOPES)
    made = added(client, url=target.url)
    job = client.post("/v1/jobs", json=request()).json()["id"]
    notifier.move(job, JobState.FAILED)
    notifier.notifier.run()
    for query in ({"job": job}, {"endpoint": made["id"]}, {"state": "dead"}, {"since": 0}):
        [delivery] = client.get("/v1/deliveries", params=query).json()["deliveries"]
        assert ("dead", [410]) == (
            delivery["state"],
            [each["status"] for each in delivery["attempts"]],
        )
    again = f"/v1/deliveries/{delivery['id']}:resend"
    assert (409, "wrong_state", "never") == problem(client.post(again))
    client.post(f"/v1/endpoints/{made['id']}:enable")
    target.answer = lambda _request: Reply(200)
    assert "waiting" == client.post(again).json()["state"]
    notifier.notifier.run()
    wish = {"since": 0, "delivered": True}
    answer = client.post(f"/v1/endpoints/{made['id']}:resend", json=wish)
    assert {"resent": 1} == answer.json()
    notifier.notifier.run()
    assert (3, 1) == (len(target.received), len({each.id for each in target.received}))


def test_a_job_names_its_address(served: RunningApi, notifier: Told, target: Receiver) -> None:
    """Without keys it is refused; with keys the address is told, and belongs to the key's job."""
    client = served.client(scopes=SCOPES)
    wish = request(notify=target.url)
    assert (422, "notify_unsigned", "never") == problem(client.post("/v1/jobs", json=wish))
    made = added(client, for_jobs=True)
    headers = {"Idempotency-Key": "order-1"}

    def create() -> httpx.Response:
        return client.post("/v1/jobs", json=wish, headers=headers)

    # What the API knows of endpoints is up to a second old.
    until(lambda: create().is_success, "the API knows the keys", 30)
    job = create().json()["id"]
    other = client.post("/v1/jobs", json=request(notify=f"{target.url}2"), headers=headers)
    assert (422, "idempotency_mismatch", "new_key") == problem(other)
    notifier.move(job, JobState.FAILED)
    notifier.notifier.run()
    [message] = target.received
    assert job == message.verified(made["secret"])["data"]["id"]
    bad = client.post("/v1/jobs", json=request(notify="https://169.254.169.254/"))
    assert (422, "bad_notify", "never") == problem(bad)


def test_another_tenant_sees_none_of_it(served: RunningApi, target: Receiver) -> None:
    """Endpoints and deliveries of another tenant do not exist."""
    made = added(served.client(scopes=SCOPES), url=target.url)
    other = served.client("another", SCOPES)
    assert [] == other.get("/v1/endpoints").json()["endpoints"]
    for method, path in (
        ("GET", f"/v1/endpoints/{made['id']}"),
        ("DELETE", f"/v1/endpoints/{made['id']}"),
        ("POST", f"/v1/endpoints/{made['id']}:rotate"),
        ("GET", f"/v1/deliveries?endpoint={made['id']}"),
        ("GET", f"/v1/deliveries/{made['id']}.job1.1"),
        ("POST", f"/v1/deliveries/{made['id']}.job1.1:resend"),
    ):
        assert (404, "not_found", "never") == problem(other.request(method, path))


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "https://127.0.0.1:99/"},
        {"url": "http://10.0.0.1/"},
        {},
        {"url": "https://hooks.example.com/", "for_jobs": True},
        {"url": "https://hooks.example.com/", "events": ["job.done"]},
    ],
)
def test_what_cannot_be_added(served: RunningApi, fields: dict[str, object]) -> None:
    """A wrong endpoint is 422 with the correction."""
    client = served.client(scopes=SCOPES)
    wrong = {**fields, "url": "https://10.0.0.1/"} if "99" in str(fields) else fields
    assert (422, "invalid_request", "never") == problem(client.post("/v1/endpoints", json=wrong))
