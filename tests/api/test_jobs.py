"""Jobs over HTTP, against the real process."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from api.idempotency import job_id_of
from tests.factories.apis import ENDPOINT, RunningApi, request
from worker.api_keys.scopes import Scope


@pytest.fixture
def client(running: RunningApi) -> httpx.Client:
    """A client of a tenant of its own."""
    return running.client("shop")


def created(client: httpx.Client, key: str, **changes: object) -> httpx.Response:
    """Create a job with this key."""
    return client.post("/v1/jobs", json=request(**changes), headers={"Idempotency-Key": key})


def test_a_job_is_created_and_read(client: httpx.Client) -> None:
    """The answer is the job, its address reads it again, and the id follows from the key."""
    answer = created(client, "read", metadata={"order": "4711"})
    assert 201 == answer.status_code
    job = answer.json()
    assert job_id_of("shop", "read") == job["id"]
    assert ("QUEUED", "shop", ENDPOINT) == (job["state"], job["tenant"], job["endpoint"])
    assert {"order": "4711"} == job["metadata"]
    assert job == client.get(answer.headers["Location"]).json()


def test_a_repeated_key_is_the_same_job(client: httpx.Client) -> None:
    """The second answer is 200 with the job as it is, and says that it was replayed."""
    first, second = created(client, "again"), created(client, "again")
    assert (201, 200) == (first.status_code, second.status_code)
    assert first.json()["id"] == second.json()["id"]
    assert (None, "true") == (
        first.headers.get("Idempotency-Replayed"),
        second.headers["Idempotency-Replayed"],
    )


def test_parallel_requests_of_one_key_are_one_job(running: RunningApi) -> None:
    """Exactly one request creates the job; the others get it, and none a conflict."""
    client = running.client()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: created(client, "crowd"), range(80)))
    statuses = [answer.status_code for answer in answers]
    assert (1, 79) == (statuses.count(201), statuses.count(200))
    assert 1 == len({answer.json()["id"] for answer in answers})


def test_another_request_with_the_key_names_the_fields(client: httpx.Client) -> None:
    """Which fields differ is said, and no value of either request."""
    created(client, "other", metadata={"order": "4711"})
    arguments = {"prompt": "SECRET", "duration": "10"}
    answer = created(client, "other", arguments=arguments, metadata={"order": "4712"})
    assert (422, "idempotency_mismatch", "new_key") == problem(answer)
    for field in ("arguments.prompt", "arguments.duration", "metadata.order"):
        assert field in answer.json()["detail"]
    assert not [word for word in ("SECRET", "red fox", "4711") if word in answer.text]


def problem(answer: httpx.Response) -> tuple[int, str, str]:
    """Return status, code and retry of a problem."""
    assert "application/problem+json" == answer.headers["Content-Type"]
    body = answer.json()
    assert answer.status_code == body["status"]
    assert answer.headers["X-Request-Id"] == body["request_id"]
    return body["status"], body["code"], body["retry"]


def test_invalid_inputs_are_the_problems_of_the_command_line(client: httpx.Client) -> None:
    """Each invalid input is listed with path, value, message and hint; nothing is stored."""
    arguments = {"prompt": "A fox", "duraton": "5"}
    answer = created(client, "invalid", arguments=arguments)
    assert (422, "invalid_arguments", "never") == problem(answer)
    [found] = answer.json()["problems"]
    assert ("duraton", True) == (found["path"], "duration" in found["message"] + found["hint"])
    assert 404 == client.get(f"/v1/jobs/{job_id_of('shop', 'invalid')}").status_code
    assert 201 == created(client, "invalid").status_code


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"prompt": "A fox"}, "prompt"),
        ({"endpoint": 5}, "endpoint"),
        ({"arguments": []}, "arguments"),
        ({"dry_run": "yes"}, "dry_run"),
        ({"max_price": -1}, "max_price"),
    ],
)
def test_wrong_fields_are_named(
    client: httpx.Client, changes: dict[str, object], path: str
) -> None:
    """An unknown field or one of a wrong type is named."""
    answer = client.post("/v1/jobs", json=request(**changes))
    assert (422, "invalid_request", "never") == problem(answer)
    assert [path] == [each["path"] for each in answer.json()["problems"]]


def test_a_trial_stores_nothing(client: httpx.Client) -> None:
    """dry_run answers the price and the arguments, and creates no job."""
    answer = created(client, "trial", dry_run=True)
    assert 200 == answer.status_code
    assert answer.json()["estimate"]["usd"] in answer.json()["cost"]
    assert 404 == client.get(f"/v1/jobs/{job_id_of('shop', 'trial')}").status_code


def test_max_price_is_kept(client: httpx.Client) -> None:
    """A job that costs more is refused before it exists; one that costs as much is created."""
    usd = created(client, "price", dry_run=True).json()["estimate"]["usd"]
    assert (422, "too_expensive", "never") == problem(created(client, "price", max_price=0.01))
    assert 201 == created(client, "price", max_price=usd).status_code


def test_another_tenants_job_is_not_there(running: RunningApi, client: httpx.Client) -> None:
    """Every address of a job answers another tenant as if it did not exist."""
    job_id = created(client, "mine").json()["id"]
    other = running.client("rival", frozenset({Scope.ADMIN}))
    answers = [
        other.get(f"/v1/jobs/{job_id}"),
        other.get(f"/v1/jobs/{job_id}/events"),
        other.get(f"/v1/jobs/{job_id}/events", headers={"Accept": "text/event-stream"}),
        other.get(f"/v1/jobs/{job_id}/files/manifest.json"),
        other.get(f"/v1/jobs/{job_id}?wait=5"),
        other.post(f"/v1/jobs/{job_id}:cancel"),
        other.post(f"/v1/jobs/{job_id}:retry", json={}),
    ]
    assert [404] * len(answers) == [answer.status_code for answer in answers]
    assert [] == other.get("/v1/jobs").json()["jobs"]
    assert [] == other.get("/v1/events").json()["events"]
    assert [] == other.get("/v1/events/cursors").json()["cursors"]
    assert 0 == sum(other.get("/v1/stats").json()["jobs"].values())
    assert "QUEUED" == client.get(f"/v1/jobs/{job_id}").json()["state"]


def test_a_key_of_another_tenant_is_another_job(running: RunningApi, client: httpx.Client) -> None:
    """The same Idempotency-Key of two tenants is two jobs, and neither hears of the other."""
    mine, theirs = created(client, "shared"), created(running.client("rival"), "shared")
    assert (201, 201) == (mine.status_code, theirs.status_code)
    assert mine.json()["id"] != theirs.json()["id"]


def test_a_list_is_paged_and_filtered(running: RunningApi) -> None:
    """Pages follow each other by the cursor, without a job twice; metadata choose."""
    client = running.client("pages")
    for number in range(5):
        created(client, f"p{number}", metadata={"n": str(number)})
    first = client.get("/v1/jobs", params={"limit": 3}).json()
    rest = client.get("/v1/jobs", params={"limit": 3, "cursor": first["cursor"]}).json()
    numbers = [job["metadata"]["n"] for job in first["jobs"] + rest["jobs"]]
    assert (["4", "3", "2", "1", "0"], "") == (numbers, rest["cursor"])
    [found] = client.get("/v1/jobs", params={"metadata.n": "3"}).json()["jobs"]
    assert "3" == found["metadata"]["n"]
    assert 5 == client.get("/v1/stats").json()["jobs"]["QUEUED"]


def test_wrong_parameters_are_refused(client: httpx.Client) -> None:
    """An unknown cursor, parameter or state is a problem, not an empty list."""
    assert (400, "bad_cursor", "never") == problem(client.get("/v1/jobs?cursor=x"))
    assert (422, "invalid_request", "never") == problem(client.get("/v1/jobs?stat=FAILED"))
    assert (422, "invalid_request", "never") == problem(client.get("/v1/jobs?state=DONE"))
    assert (422, "invalid_request", "never") == problem(client.get("/v1/jobs?limit=5&limit=6"))


def test_an_unchanged_job_is_not_sent_again(client: httpx.Client) -> None:
    """If-None-Match with the ETag answers 304 without a body."""
    answer = created(client, "etag")
    known = {"If-None-Match": answer.headers["ETag"]}
    unchanged = client.get(answer.headers["Location"], headers=known)
    assert (304, b"") == (unchanged.status_code, unchanged.content)


def test_a_wait_ends_when_the_job_changes(client: httpx.Client) -> None:
    """A long poll answers as soon as the job has ended."""
    answer = created(client, "wait")
    address = answer.headers["Location"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.get, address, params={"wait": 20})
        assert 200 == client.post(f"{address}:cancel").status_code
        ended = waiting.result(15).json()
    assert ("CANCELLED", True) == (ended["state"], ended["ended"])


def test_a_wait_ends_after_its_time(client: httpx.Client) -> None:
    """A job that does not change is answered as it is."""
    address = created(client, "patient").headers["Location"]
    assert "QUEUED" == client.get(address, params={"wait": 0.2}).json()["state"]


def test_a_cancelled_job_that_was_never_sent_pays_when_it_continues(client: httpx.Client) -> None:
    """A retry says that it would pay, refuses, and obeys once it is allowed to."""
    address = created(client, "retry").headers["Location"]
    cancelled = client.post(f"{address}:cancel").json()
    assert "costs nothing" in cancelled["sentence"]
    assert (409, "would_pay", "never") == problem(client.post(f"{address}:retry"))
    trial = client.post(f"{address}:retry", json={"dry_run": True}).json()
    assert (True, "CANCELLED") == (trial["will_pay"], trial["job"]["state"])
    continued = client.post(f"{address}:retry", json={"allow_pay": True}).json()
    assert (True, "QUEUED") == (continued["will_pay"], continued["job"]["state"])
    assert (409, "wrong_state", "never") == problem(client.post(f"{address}:retry"))


def test_a_batch_creates_each_job_alone(client: httpx.Client) -> None:
    """Valid entries are created, the others say why; sent again, none is created twice."""
    rows = [
        request(key="b1"),
        request(key="b2", arguments={}),
        request(),
        request(key="b3", dry_run=True),
    ]
    answer = client.post("/v1/jobs:batch", json=rows).json()
    assert [201, 422, 422, 200] == [each["status"] for each in answer["results"]]
    assert ["b1", "b2", "", "b3"] == [each["key"] for each in answer["results"]]
    again = client.post("/v1/jobs:batch", json=rows).json()
    assert (0, 1, 2) == (again["created"], again["replayed"], again["failed"])


def test_a_batch_of_lines(client: httpx.Client) -> None:
    """NDJSON is a line for each job; a broken line fails alone."""
    body = b'{"key": "l1", "endpoint": "%s", "arguments": {"prompt": "A fox"}}\n{"key": \n'
    answer = client.post(
        "/v1/jobs:batch",
        content=body % ENDPOINT.encode(),
        headers={"Content-Type": "application/x-ndjson"},
    ).json()
    assert [201, 400] == [each["status"] for each in answer["results"]]


@pytest.mark.parametrize("body", ["{}", "[]", "5", "null"])
def test_a_batch_is_a_list(client: httpx.Client, body: str) -> None:
    """Anything but a list of jobs is a problem."""
    headers = {"Content-Type": "application/json"}
    answer = client.post("/v1/jobs:batch", content=body, headers=headers)
    assert (422, "invalid_request", "never") == problem(answer)
