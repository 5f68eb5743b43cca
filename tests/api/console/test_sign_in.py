"""Signing in to the console: who may, for how long, and from where."""

import time

import httpx
import pytest

from tests.factories.apis import RunningApi
from tests.factories.consoles import OURS, Visitor, hidden_fields, visitor
from worker.api_keys.scopes import Scope


@pytest.fixture
def http(running: RunningApi) -> httpx.Client:
    """A browser that is not signed in."""
    return running.opened.enter_context(httpx.Client(base_url=running.url, timeout=60))


def test_a_key_opens_a_session(running: RunningApi, http: httpx.Client) -> None:
    """The cookie is for our pages alone, no script reads it, and it leads where one wanted to."""
    assert "/console/login?next=%2Fconsole%2Fjobs" == http.get("/console/jobs").headers["location"]
    form = {"key": running.token(), "next": "/console/jobs?state=FAILED"}
    answer = http.post("/console/login", data=form, headers=OURS)
    assert (303, "/console/jobs?state=FAILED") == (answer.status_code, answer.headers["location"])
    cookie = answer.headers["set-cookie"].lower()
    assert all(part in cookie for part in ("httponly", "samesite=strict", "max-age=43200"))
    assert "Failures" in http.get("/console").text


def test_behind_https_the_cookie_is_bound_to_the_host(
    running: RunningApi, http: httpx.Client
) -> None:
    """Where a proxy says https, the browser keeps it for this host and for https alone."""
    headers = {**OURS, "X-Forwarded-Proto": "https"}
    answer = http.post("/console/login", data={"key": running.token()}, headers=headers)
    assert answer.headers["set-cookie"].startswith("__Host-falhook=")
    assert "secure" in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize("key", ["", "fhk_wrong", "\ud800", "x" * 5_000])
def test_another_text_opens_none(http: httpx.Client, key: str) -> None:
    """What is no key is refused, without a cookie."""
    data = {"key": key.encode(errors="replace").decode()}
    answer = http.post("/console/login", data=data, headers=OURS)
    assert (401, False) == (answer.status_code, "set-cookie" in answer.headers)


def test_a_key_that_cannot_read_is_refused(running: RunningApi, http: httpx.Client) -> None:
    """Without jobs:read there is nothing to see."""
    token = running.token(scopes=frozenset({Scope.CREATE}))
    answer = http.post("/console/login", data={"key": token}, headers=OURS)
    assert 401 == answer.status_code
    assert "jobs:read" in answer.text


@pytest.mark.parametrize(
    "there", ["//evil.example", "https://evil.example", "/console/../x\\y", "/consolex", ""]
)
def test_signing_in_leads_to_our_pages_alone(running: RunningApi, there: str) -> None:
    """An address elsewhere is replaced by the board."""
    with httpx.Client(base_url=running.url) as http:
        form = {"key": running.token(), "next": there}
        answer = http.post("/console/login", data=form, headers=OURS)
    assert "/console" == answer.headers["location"]


def test_a_revoked_key_ends_its_sessions(running: RunningApi) -> None:
    """A second after the key was revoked, its session is worth nothing."""
    somebody = visitor(running)
    somebody.page("/console/jobs")
    [key] = [key for key in running.keys.list() if somebody.token[4:12] == key.id]
    running.keys.revoke(key.id)
    until = time.monotonic() + 30
    while somebody.http.get("/console/jobs").status_code != 303:
        assert time.monotonic() < until


def test_a_revoked_key_ends_its_streams(running: RunningApi) -> None:
    """An open stream of changes ends with the session, and does not begin again."""
    somebody = visitor(running)
    status, until = 503, time.monotonic() + 60
    while status == 503 and time.monotonic() < until:  # the API has not read Redis yet
        with somebody.http.stream("GET", "/console/live") as stream:
            status = stream.status_code
            if status == 200:
                assert running.keys.revoke(somebody.token[4:12])
            text = "".join(stream.iter_text())
    assert (200, True) == (status, "retry:" in text)
    assert 303 == somebody.http.get("/console/live").status_code


def test_signing_out_ends_the_session(running: RunningApi) -> None:
    """The cookie is worth nothing afterwards, also to somebody who has copied it."""
    somebody = visitor(running)
    cookies = dict(somebody.http.cookies)
    assert "/console/login" == somebody.send("/console/logout").headers["location"]
    with httpx.Client(base_url=running.url, cookies=cookies) as http:
        assert 303 == http.get("/console/jobs").status_code


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 403),
        (OURS, 303),
    ],
)
def test_only_our_pages_may_send_forms(
    running: RunningApi, headers: dict[str, str], status: int
) -> None:
    """A form of another site is refused, whatever it has."""
    somebody = visitor(running)
    form = hidden_fields(somebody.page("/console"))
    answer = somebody.http.post("/console/logout", data=form, headers=headers)
    assert status == answer.status_code


def test_an_origin_of_our_own_is_enough(running: RunningApi) -> None:
    """Without fetch metadata, as over plain http, the Origin decides."""
    somebody = visitor(running)
    form = hidden_fields(somebody.page("/console"))
    answer = somebody.http.post("/console/logout", data=form, headers={"Origin": running.url})
    assert 303 == answer.status_code


@pytest.mark.parametrize("csrf", ["", "0" * 64, "é"])
def test_a_form_needs_the_proof_of_its_session(running: RunningApi, csrf: str) -> None:
    """A form without the token of the session is refused."""
    somebody = visitor(running)
    answer = somebody.http.post("/console/logout", data={"csrf": csrf}, headers=OURS)
    assert 403 == answer.status_code
    somebody.page("/console/jobs")


def test_a_link_signs_in_once(running: RunningApi, http: httpx.Client) -> None:
    """A key makes a link on the same machine; the second who follows it is asked for a key."""
    bearer = {"Authorization": f"Bearer {running.token()}"}
    made = httpx.post(f"{running.url}/console/links", headers=bearer)
    assert 201 == made.status_code
    first, second = http.get(made.text.strip()), httpx.get(f"{running.url}{made.text.strip()}")
    assert (303, 401) == (first.status_code, second.status_code)
    assert 200 == http.get("/console").status_code


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded"])
def test_a_link_is_for_the_same_machine(running: RunningApi, header: str) -> None:
    """Through a proxy neither a link is made nor followed."""
    bearer = {"Authorization": f"Bearer {running.token()}"}
    made = httpx.post(f"{running.url}/console/links", headers=bearer).text.strip()
    away = {header: "203.0.113.5"}
    assert 401 == httpx.get(f"{running.url}{made}", headers=away).status_code
    refused = httpx.post(f"{running.url}/console/links", headers={**bearer, **away})
    assert 401 == refused.status_code
    assert 303 == httpx.get(f"{running.url}{made}").status_code


def test_every_page_has_the_policy(running: RunningApi) -> None:
    """Pages run our files alone, are framed by nobody, and are kept by no cache."""
    somebody: Visitor = visitor(running)
    for path in ("/console", "/console/jobs", "/console/jobs/nosuchjob", "/console/login"):
        headers = somebody.http.get(path, headers={}).headers
        if "content-security-policy" not in headers:
            assert "location" in headers
            continue
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "no-store" == headers["cache-control"]
