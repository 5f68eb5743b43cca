"""The receiver as fal sees it: the real application, server and Redis."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from nacl.signing import SigningKey
from redis import Redis

from infra.local.redis.server import RedisServer
from tests.factories.callbacks import (
    FAL_KEY,
    REQUEST_ID,
    SECRET,
    Delivery,
    Host,
    content,
    host,
    jwks,
    receiver_settings,
    serving,
    signed,
)
from webhook.app import create_app
from webhook.body import MAX_BODY
from webhook.contract import INBOX, Callback, Queue, inbox_key
from webhook.responses import STATUS
from webhook.shards import all_keys

OTHER_KEY = SigningKey(bytes([7]) * 32)


@pytest.fixture
def key_host() -> Iterator[Host]:
    """fal's key host."""
    with host() as served:
        yield served


@pytest.fixture
def start(redis_url: str, key_host: Host) -> Iterator[Callable[..., httpx.Client]]:
    """Start receivers with changed settings; they stop with the test."""
    with ExitStack() as running:

        def start(**changes: str) -> httpx.Client:
            changes = {"REDIS_URL": redis_url, "FALHOOK_JWKS_URL": key_host.url, **changes}
            settings = receiver_settings(
                changes.pop("REDIS_URL"), changes.pop("FALHOOK_JWKS_URL"), **changes
            )
            return running.enter_context(serving(create_app(settings)))

        yield start


@pytest.fixture
def client(start: Callable[..., httpx.Client]) -> httpx.Client:
    """A receiver with the usual settings."""
    return start()


def outcome(response: httpx.Response) -> tuple[int, str]:
    """Return status and reason code of an answer."""
    return response.status_code, response.json()["outcome"]


def stored(url: str, job_id: str = "job-1") -> list[Callback]:
    """Return the callbacks of a job in the inbox."""
    with Redis.from_url(url) as redis:
        entries = redis.hgetall(inbox_key(job_id))
        assert isinstance(entries, dict)
        return [Callback.decode(entry) for entry in entries.values()]


def test_a_valid_callback_is_stored_and_woken(client: httpx.Client, redis_url: str) -> None:
    """It gets 200; the unchanged body, the pending entry and one message are in Redis."""
    delivery = signed("job-1", attempt=3)
    began = time.time()
    assert (200, "accepted") == outcome(delivery.post(client))
    [callback] = stored(redis_url)
    assert (3, REQUEST_ID, delivery.body) == (callback.attempt, callback.request_id, callback.body)
    assert began <= callback.received_at <= time.time()
    with Redis.from_url(redis_url) as redis:
        assert 1 == sum(map(redis.zcard, all_keys(INBOX)))
        assert redis.brpop([Queue.CALLBACKS], timeout=10) is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "ERROR", "error": "Invalid status code: 422", "payload": {"detail": []}},
        {"payload": None, "payload_error": "could not be encoded"},
        {"status": "ERROR", "error": "timeout", "payload": "text"},
        {"payload": {"prompt": "Zürich 東京 \U0001f3ac", "new": [1, 2.5, None]}},
    ],
)
def test_every_documented_body_is_accepted(
    client: httpx.Client, redis_url: str, changes: dict[str, object]
) -> None:
    """The receiver checks where a callback comes from, not its result."""
    delivery = signed(body=content(**changes))
    assert (200, "accepted") == outcome(delivery.post(client))
    assert [delivery.body] == [callback.body for callback in stored(redis_url)]


def bad(body: bytes) -> Delivery:
    """Return a callback with this body, signed by fal."""
    return signed(body=body)


REFUSED: dict[str, tuple[str, Callable[[], Delivery]]] = {
    "unknown token": ("bad_address", lambda: signed(secret="another-secret-0000")),
    "token of another job": (
        "bad_address",
        lambda: replace(signed(), path=signed("job-2").path.replace("job-2", "job-1")),
    ),
    "job id too long": (
        "bad_address",
        lambda: replace(signed(), path=f"/webhooks/fal/{'j' * 65}/1.x"),
    ),
    "very long path": (
        "bad_address",
        lambda: replace(signed(), path="/webhooks/fal/job/" + "t" * 9000),
    ),
    "line feed in the path": ("bad_address", lambda: replace(signed(), path=signed().path + "%0A")),
    "header missing": ("bad_headers", lambda: signed().without("signature")),
    "signature too short": ("bad_headers", lambda: signed().with_(signature="ab" * 63)),
    "timestamp not a number": ("bad_headers", lambda: signed().with_(timestamp="now")),
    "request id too long": ("bad_headers", lambda: signed(request_id="r" * 65)),
    "too old": ("stale_timestamp", lambda: signed(timestamp=time.time() - 302)),
    "too far ahead": ("stale_timestamp", lambda: signed(timestamp=time.time() + 310)),
    "another account": ("foreign_account", lambda: signed(user_id="user-other")),
    "another key": ("bad_signature", lambda: signed(key=OTHER_KEY)),
    "body changed": ("bad_signature", lambda: replace(signed(), body=content(status="ERROR"))),
    "header changed": ("bad_signature", lambda: signed().with_(request_id="another")),
    "not JSON": ("bad_body", lambda: bad(b"not json")),
    "not an object": ("bad_body", lambda: bad(b"[]")),
    "empty": ("bad_body", lambda: bad(b"")),
    "not UTF-8": ("bad_body", lambda: bad(b'{"request_id": "\xff"}')),
    "UTF-16": ("bad_body", lambda: bad(content().decode().encode("utf-16"))),
    "byte order mark": ("bad_body", lambda: bad(b"\xef\xbb\xbf" + content())),
    "repeated name": ("bad_body", lambda: bad(content()[:-1] + b', "status": "ERROR"}')),
    "nested too deeply": ("bad_body", lambda: bad(b'{"a":' * 100_000)),
    "no request id": ("bad_body", lambda: bad(b'{"status": "OK"}')),
    "request id not text": ("bad_body", lambda: bad(content(request_id=7))),
    "ids disagree": ("id_mismatch", lambda: signed(body=content("another-request"))),
}


BEFORE_THE_BODY = ("bad_address", "bad_headers", "stale_timestamp", "foreign_account")


@pytest.mark.parametrize("case", REFUSED)
def test_each_refusal_has_its_reason_and_stores_nothing(
    client: httpx.Client, redis_url: str, case: str
) -> None:
    """The answer is 4xx with only the reason code; inbox and queue stay empty."""
    reason, make = REFUSED[case]
    delivery = make()
    response = delivery.post(client)
    assert (STATUS[reason], reason) == outcome(response)
    assert {"outcome": reason} == response.json()
    with Redis.from_url(redis_url) as redis:
        assert [] == redis.keys("falhook:*")


@pytest.mark.parametrize(
    "body",
    [
        content().replace(b"12345678", b"NaN"),
        content().replace(b"12345678", b"-Infinity"),
        content().replace(b"12345678", b"9" * 5_000),
        content(status="DONE"),
        content(status=None, payload=[], error={"message": "x"}),
    ],
)
def test_what_fal_signed_is_stored_whatever_it_says(
    client: httpx.Client, redis_url: str, body: bytes
) -> None:
    """A verified body that names its request is kept as it came; the worker reads it."""
    assert (200, "accepted") == outcome(signed(body=body).post(client))
    assert [body] == [each.body for each in stored(redis_url)]


def test_a_body_that_is_too_large_leaves_a_mark(client: httpx.Client, redis_url: str) -> None:
    """fal would repeat it in vain: the job gets a callback without a body, for its look-up."""
    delivery = signed(body=content(payload="x" * MAX_BODY))
    assert (413, "too_large") == outcome(delivery.post(client))
    assert [(1, REQUEST_ID, b"")] == [
        (each.attempt, each.request_id, each.body) for each in stored(redis_url)
    ]


def test_only_post_is_answered_and_no_path_redirects(client: httpx.Client) -> None:
    """Other methods get 405, other paths 404; fal treats a redirect as a final refusal."""
    path = signed().path
    assert {405} == {client.request(method, path).status_code for method in ("GET", "PUT", "HEAD")}
    assert {404} == {client.post(p).status_code for p in (path + "/", "/", "/webhooks/fal", "//")}


def test_repeated_headers_are_refused(client: httpx.Client) -> None:
    """Another program might read the other one of two headers."""
    delivery = signed()
    twice = [*delivery.headers.items(), ("X-Fal-Webhook-User-Id", "user-demo-0001")]
    response = client.post(delivery.path, content=delivery.body, headers=twice)
    assert (400, "bad_headers") == outcome(response)


def test_duplicates_collapse(client: httpx.Client, redis_url: str) -> None:
    """Twenty concurrent deliveries of one callback, each with its signature, are one entry."""
    now = time.time()
    deliveries = [signed(timestamp=now - n) for n in range(20)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda delivery: outcome(delivery.post(client)), deliveries))
    assert [(200, "accepted")] * 20 == answers
    assert 1 == len(stored(redis_url))


def test_several_accounts_and_secrets_are_accepted(start: Callable[..., httpx.Client]) -> None:
    """During a rotation both secrets count; so does every account in the settings."""
    client = start(
        FALHOOK_SECRET=f"the-newest-secret-1,{SECRET}", FALHOOK_FAL_USER_IDS="user-1,team-1"
    )
    for secret, user in ((SECRET, "user-1"), ("the-newest-secret-1", "team-1")):
        assert (200, "accepted") == outcome(signed(secret=secret, user_id=user).post(client))


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_without_redis_callbacks_get_503_in_time(
    start: Callable[..., httpx.Client], tmp_path: Path, how: str
) -> None:
    """503 with Retry-After comes within 5 s; the retry is accepted once Redis is back."""
    with RedisServer.start(tmp_path) as server:
        client = start(REDIS_URL=server.url)
        assert (200, "accepted") == outcome(signed("before").post(client))
        if how == "kill":
            server.kill()
        else:
            os.kill(server.pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            response = signed("during").post(client)
            assert time.monotonic() - began < 5.0
            assert (503, "inbox_unavailable") == outcome(response)
            assert "5" == response.headers["retry-after"]
            assert 503 == client.get("/readyz").status_code
            assert 200 == client.get("/healthz").status_code
        finally:
            if how == "kill":
                server.restart()
            else:
                os.kill(server.pid, signal.SIGCONT)
        assert (200, "accepted") == outcome(signed("during").post(client))
        assert [1, 1] == [len(stored(server.url, job_id)) for job_id in ("before", "during")]


def test_without_any_key_callbacks_get_503(
    start: Callable[..., httpx.Client], key_host: Host
) -> None:
    """Before the first key, answers are 503 with Retry-After; the host gets one request."""
    key_host.status = 500
    client = start()
    answers = [signed(f"job-{n}").post(client) for n in range(5)]
    assert {(503, "no_keys")} == {outcome(answer) for answer in answers}
    assert {"5"} == {answer.headers["retry-after"] for answer in answers}
    assert 1 == key_host.requests


@pytest.mark.parametrize("fault", ["redirect", "too large", "other keys", "not JWKS"])
def test_an_unusable_key_document_gives_no_keys(
    start: Callable[..., httpx.Client], key_host: Host, fault: str
) -> None:
    """A redirect, more than 64 KB, no Ed25519 key, or not a JWKS: there are no keys."""
    match fault:
        case "redirect":
            key_host.status, key_host.headers = 302, {"Location": key_host.url}
        case "too large":
            key_host.document = jwks(FAL_KEY) + b" " * 65_536
        case "other keys":
            key_host.document = b'{"keys": [{"kty": "RSA", "n": "x", "e": "AQAB"}]}'
        case _:
            key_host.document = b"<html>"
    assert (503, "no_keys") == outcome(signed().post(start()))
    assert 1 == key_host.requests


def test_cheap_checks_do_not_read_the_body(client: httpx.Client) -> None:
    """What fails before the signature is answered before the body has been sent."""
    cases = [case for case, (reason, _) in REFUSED.items() if reason in BEFORE_THE_BODY]
    for case in cases:
        reason, make = REFUSED[case]
        if case != "very long path":
            assert f'"{reason}"' in _answer_to_head(client, make()), case


def _answer_to_head(client: httpx.Client, delivery: Delivery) -> str:
    """Return the answer to a request whose body never arrives."""
    address = (client.base_url.host, client.base_url.port or 80)
    with socket.create_connection(address, timeout=3) as peer:
        head, _, _ = delivery.wire().partition(b"\r\n\r\n")
        peer.sendall(head + b"\r\n\r\n")
        answer = b""
        while b"}" not in answer:
            chunk = peer.recv(4096)
            assert chunk, "closed without an answer"
            answer += chunk
        return answer.decode()


def test_forgeries_cause_no_requests(client: httpx.Client, key_host: Host) -> None:
    """When checks fail before the signature, the key host sees only the request at startup."""
    makers = [make for reason, make in REFUSED.values() if reason in BEFORE_THE_BODY]
    forgeries = [make() for make in makers for _ in range(10)]
    answers = {forgery.post(client).status_code for forgery in forgeries}
    assert answers <= {400, 401, 404}
    assert 1 == key_host.requests


def test_metrics_count_every_outcome(client: httpx.Client) -> None:
    """Every outcome has a counter, zeros included; times, batches and keys are shown too."""
    signed().post(client)
    signed(timestamp=time.time() - 1_000).post(client)
    lines = dict(
        line.rsplit(" ", 1)
        for line in client.get("/metrics").text.splitlines()
        if not line.startswith("#")
    )
    counts = {name: lines[f'falhook_callbacks_total{{outcome="{name}"}}'] for name in STATUS}
    assert {"accepted": "1.0", "stale_timestamp": "1.0"} == {
        name: count for name, count in counts.items() if count != "0.0"
    }
    assert ["2.0", "1.0", "1.0", "0.0", "0.0"] == [
        lines[name]
        for name in (
            "falhook_callback_seconds_count",
            "falhook_inbox_batch_size_sum",
            "falhook_keys",
            "falhook_callbacks_under_way",
            "falhook_callbacks_bytes",
        )
    ]
    assert 0 <= float(lines["falhook_keys_age_seconds"]) < 60


def test_readiness_shows_redis_broker_and_keys_separately(
    start: Callable[..., httpx.Client], key_host: Host
) -> None:
    """Each has its own entry; the status is 200 only if all of them work."""
    assert {"redis": "ok", "broker": "ok", "keys": "ok"} == start().get("/readyz").json()
    no_broker = start(FALHOOK_BROKER_URL="redis://127.0.0.1:1/0").get("/readyz")
    assert 503 == no_broker.status_code
    assert {"redis": "ok", "broker": "unavailable", "keys": "ok"} == no_broker.json()
    key_host.status = 404
    no_keys = start().get("/readyz")
    assert {"redis": "ok", "broker": "ok", "keys": "unavailable"} == no_keys.json()


def test_a_missing_broker_loses_no_callback(
    start: Callable[..., httpx.Client], redis_url: str
) -> None:
    """A callback is stored and gets 200 although its wake cannot be sent."""
    client = start(FALHOOK_BROKER_URL="redis://127.0.0.1:1/0")
    assert (200, "accepted") == outcome(signed().post(client))
    assert 1 == len(stored(redis_url))
    with Redis.from_url(redis_url) as redis:
        assert 1 == sum(map(redis.zcard, all_keys(INBOX)))


def test_a_rotation_under_load_loses_no_callback(
    start: Callable[..., httpx.Client], key_host: Host, redis_url: str
) -> None:
    """fal replaces its only key: callbacks signed with the new one are accepted, by one fetch.

    A callback that was signed before and arrives after is accepted when fal tries again.
    """
    client = start()
    new = SigningKey(bytes([9]) * 32)
    signing = [FAL_KEY]

    def deliver(number: int) -> list[str]:
        if number == 100:
            key_host.document = jwks(new)
            signing[0] = new
        outcomes: list[str] = []
        while len(outcomes) < 3 and "accepted" not in outcomes:
            outcomes.append(outcome(signed(f"job-{number}", key=signing[0]).post(client))[1])
        return outcomes

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(deliver, range(200)))
    assert ["accepted"] * 200 == [outcomes[-1] for outcomes in answers]
    assert [["accepted"]] * 90 == answers[110:]
    assert 2 == key_host.requests
    with Redis.from_url(redis_url) as redis:
        assert 200 == sum(map(redis.zcard, all_keys(INBOX)))


def test_a_flood_of_forgeries_causes_one_fetch(
    client: httpx.Client, key_host: Host, redis_url: str
) -> None:
    """Three hundred callbacks with a valid address and a wrong key cause one more fetch."""
    with ThreadPoolExecutor(8) as pool:
        posts = pool.map(lambda n: signed(f"job-{n}", key=OTHER_KEY).post(client), range(300))
        assert {(401, "bad_signature")} == {outcome(response) for response in posts}
    assert 2 == key_host.requests
    assert (200, "accepted") == outcome(signed().post(client))


def test_forgeries_do_not_delay_valid_callbacks(client: httpx.Client, key_host: Host) -> None:
    """While a forgery waits for a key host that hangs, a valid callback is answered."""
    assert key_host.arrivals.acquire(timeout=10)
    key_host.answering.clear()
    with ThreadPoolExecutor(1) as pool:
        forged = pool.submit(lambda: outcome(signed(key=OTHER_KEY).post(client)))
        assert key_host.arrivals.acquire(timeout=10)
        assert (200, "accepted") == outcome(signed().post(client))
        assert not forged.done()
        key_host.answering.set()
        assert (401, "bad_signature") == forged.result(timeout=10)
