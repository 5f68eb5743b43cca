"""Who may do what: keys, scopes, limits, and requests that are none."""

import time
from pathlib import Path

import httpx
import pytest

from tests.api.test_jobs import problem
from tests.factories.apis import RunningApi, api, api_environment, request
from worker.api_keys.scopes import Scope

ROUTES = [
    ("POST", "/v1/jobs", Scope.CREATE),
    ("POST", "/v1/jobs:batch", Scope.CREATE),
    ("GET", "/v1/jobs", Scope.READ),
    ("GET", "/v1/jobs/x", Scope.READ),
    ("POST", "/v1/jobs/x:cancel", Scope.ACT),
    ("POST", "/v1/jobs/x:retry", Scope.ACT),
    ("GET", "/v1/events", Scope.EVENTS),
    ("GET", "/v1/jobs/x/events", Scope.EVENTS),
    ("GET", "/v1/stats", Scope.READ),
    ("GET", "/v1/scale", Scope.SCALE),
    ("GET", "/v1/keys", Scope.ADMIN),
    ("POST", "/v1/keys", Scope.ADMIN),
    ("DELETE", "/v1/keys/x", Scope.ADMIN),
    ("GET", "/v1/endpoints", Scope.ENDPOINTS),
    ("POST", "/v1/endpoints", Scope.ENDPOINTS),
    ("GET", "/v1/endpoints/x", Scope.ENDPOINTS),
    ("DELETE", "/v1/endpoints/x", Scope.ENDPOINTS),
    ("GET", "/v1/deliveries", Scope.ENDPOINTS),
    ("POST", "/v1/deliveries/x:resend", Scope.ENDPOINTS),
]


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
def test_a_key_needs_the_scope(running: RunningApi, method: str, path: str, scope: Scope) -> None:
    """Without a key it is 401, with a key of every other scope 403."""
    without = httpx.request(method, running.url + path)
    assert (401, "unauthenticated", "never") == problem(without)
    assert "Bearer" == without.headers["WWW-Authenticate"]
    others = frozenset(Scope) - {scope, Scope.ADMIN}
    answer = running.client(scopes=others).request(method, path)
    assert (403, "scope", "never") == problem(answer)
    assert scope in answer.json()["detail"]


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer fhk_x", "Basic abc", "Bearer " + "f" * 9000]
)
def test_what_is_no_key_is_refused(running: RunningApi, header: str) -> None:
    """A missing, mistyped or foreign credential is 401, and is not repeated."""
    answer = httpx.get(f"{running.url}/v1/jobs", headers={"Authorization": header})
    assert (401, "unauthenticated", "never") == problem(answer)


def test_a_revoked_key_is_refused_within_a_second(running: RunningApi) -> None:
    """A key that was used a moment ago stops to work once it is revoked."""
    admin = running.client(scopes=frozenset({Scope.ADMIN}))
    made = admin.post("/v1/keys", json={"name": "short", "tenant": "t1"}).json()
    headers = {"Authorization": f"Bearer {made['token']}"}
    with httpx.Client(base_url=running.url, headers=headers) as client:
        assert 200 == client.get("/v1/jobs").status_code
        assert 204 == admin.delete(f"/v1/keys/{made['key']['id']}").status_code
        ends = time.monotonic() + 1.0
        while client.get("/v1/jobs").status_code != 401:
            assert time.monotonic() < ends, "a revoked key still works after a second"


def test_a_key_has_limits(redis_url: str, tmp_path: Path) -> None:
    """Beyond the burst it is 429 with the seconds to wait; every answer says what is left."""
    with api(api_environment(redis_url, tmp_path), FALHOOK_API_READ_RATE="0.5") as running:
        client = running.client()
        answers = [client.get("/v1/jobs") for _ in range(7)]
        other = running.client().get("/v1/jobs")
    assert [200] * 5 == [answer.status_code for answer in answers[:5]]
    assert (429, "rate_limited", "after") == problem(answers[-1])
    assert '"read";q=5;w=10' == answers[0].headers["RateLimit-Policy"]
    assert answers[0].headers["RateLimit"].startswith('"read";r=4;t=')
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 3
    assert 200 == other.status_code


def test_unknown_addresses_and_methods(running: RunningApi) -> None:
    """They are problems like any other."""
    assert (404, "not_found", "never") == problem(httpx.get(f"{running.url}/v2"))
    answer = httpx.delete(f"{running.url}/v1/jobs")
    assert (405, "method_not_allowed", "never") == problem(answer)
    assert "GET" in answer.headers["Allow"] or "POST" in answer.headers["Allow"]


def test_a_request_id_is_echoed(running: RunningApi) -> None:
    """The caller's id is the one of answer and log; one that cannot be logged is replaced."""
    sent = {"X-Request-Id": "abc-123"}
    assert "abc-123" == httpx.get(f"{running.url}/v1/jobs", headers=sent).headers["X-Request-Id"]
    odd = {"X-Request-Id": "a b\u00e9".encode()}
    answer = httpx.get(f"{running.url}/v1/jobs", headers=odd)  # type: ignore[arg-type]
    assert 16 == len(answer.headers["X-Request-Id"])


def test_a_body_is_bounded(running: RunningApi) -> None:
    """A body of more than 64 KB is refused before it is parsed."""
    arguments = {"prompt": "x" * 70_000}
    answer = running.client().post("/v1/jobs", json=request(arguments=arguments))
    assert (413, "too_large", "never") == problem(answer)
    assert "xxx" not in answer.text


def test_a_body_must_be_json(running: RunningApi) -> None:
    """Another type is refused, as is JSON with a name twice."""
    client = running.client()
    answer = client.post("/v1/jobs", content=b"{}", headers={"Content-Type": "text/plain"})
    assert (415, "unsupported_media_type", "never") == problem(answer)
    twice = b'{"endpoint": "a", "endpoint": "b"}'
    answer = client.post("/v1/jobs", content=twice, headers={"Content-Type": "application/json"})
    assert (400, "bad_json", "never") == problem(answer)


def test_health_needs_no_key(running: RunningApi) -> None:
    """Liveness and readiness are open, and tell nothing else."""
    assert {"status": "ok"} == httpx.get(f"{running.url}/healthz").json()
    ready = httpx.get(f"{running.url}/readyz")
    assert (200, {"redis": "ok", "broker": "ok"}) == (ready.status_code, ready.json())
