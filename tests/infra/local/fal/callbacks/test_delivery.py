"""The callbacks of the simulated fal, and their mishaps."""

import itertools
import json
import re
import time
from collections.abc import Iterator

import pytest

from infra.local.fal.callbacks.delivery import GAPS
from infra.local.fal.queue import LARGE_RESULT_SECONDS, RESULT_SECONDS
from tests.factories.simulated_fal import TIMEOUT_SECONDS, FalOverHttp, fal_running


@pytest.fixture(scope="module")
def fal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FalOverHttp]:
    directory = tmp_path_factory.getbasetemp() / "callbacks"
    with fal_running(directory, "--first-patience", "0.2", "--patience", "5") as running:
        yield running


def test_a_callback_has_fals_format_and_signature(fal: FalOverHttp) -> None:
    """Body, headers and signature follow fal's documentation; the timestamp is real time."""
    (callback,) = fal.delivered()
    body, headers = callback.json, callback.headers
    assert json.dumps(body, sort_keys=True).encode() == callback.body
    assert ["error", "gateway_request_id", "payload", "request_id", "status"] == list(body)
    assert (None, "OK", callback.request_id) == (body["error"], body["status"], body["request_id"])
    assert ["content_type", "file_name", "file_size", "url"] == list(body["payload"]["video"])
    assert fal.environment["FALHOOK_FAL_USER_IDS"] == headers["x-fal-webhook-user-id"]
    assert abs(time.time() - int(headers["x-fal-webhook-timestamp"])) < TIMEOUT_SECONDS
    assert re.fullmatch(r"[0-9a-f]{128}", headers["x-fal-webhook-signature"])
    assert callback.signed_by(fal.jwks())


@pytest.mark.parametrize(
    ("mishap", "code", "kind"),
    [
        ("error-422", 422, "image_load_error"),
        ("error-422=downstream_service_error", 500, "downstream_service_error"),
        ("error-policy", 422, "content_policy_violation"),
    ],
)
def test_a_models_error_echoes_the_input(
    fal: FalOverHttp, mishap: str, code: int, kind: str
) -> None:
    """A failed render calls back with fal's error text and the model's list of errors."""
    (callback,) = fal.delivered(mishap)
    (detail,) = callback.json["payload"]["detail"]
    assert ("ERROR", f"Invalid status code: {code}", kind) == (
        callback.json["status"],
        callback.json["error"],
        detail["type"],
    )
    assert "heron" in json.dumps(detail["input"])


def test_bad_input_fails_through_the_callback(fal: FalOverHttp) -> None:
    """A wrong duration is accepted, and reported in the callback."""
    (callback,) = fal.delivered(duration=7)
    assert ("ERROR", 7) == (
        callback.json["status"],
        callback.json["payload"]["detail"][0]["input"],
    )


def test_a_platform_error_has_a_text_and_a_type(fal: FalOverHttp) -> None:
    """`error-platform` has the platform's error format."""
    (callback,) = fal.delivered("error-platform=runner_scheduling_failure")
    assert ("Invalid status code: 503", "runner_scheduling_failure") == (
        callback.json["error"],
        callback.json["payload"]["error_type"],
    )


def test_a_null_payload_is_not_a_failure(fal: FalOverHttp) -> None:
    """`payload-null` has status OK without a payload, and the result can be fetched."""
    (callback,) = fal.delivered("payload-null")
    body = callback.json
    assert ("OK", None, True) == (body["status"], body["payload"], bool(body["payload_error"]))
    result = fal.http.get(f"/fal-ai/kling-video/requests/{callback.request_id}")
    assert (200, ["video"]) == (result.status_code, list(result.json()))


@pytest.mark.parametrize(("mishap", "count"), [("callback-twice", 2), ("callback-many=20", 20)])
def test_a_callback_can_come_several_times(fal: FalOverHttp, mishap: str, count: int) -> None:
    """All copies have the same body, and each is signed."""
    callbacks = fal.delivered(mishap, count=count)
    assert 1 == len({callback.body for callback in callbacks})
    jwks = fal.jwks()
    assert all(callback.signed_by(jwks) for callback in callbacks)


def test_a_stale_callback_comes_first(fal: FalOverHttp) -> None:
    """`callback-stale` sends an error for an older request to the same address."""
    stale, right = fal.delivered("callback-stale", count=2)
    assert ("ERROR", "OK") == (stale.json["status"], right.json["status"])
    assert stale.request_id != right.request_id
    assert stale.signed_by(fal.jwks())


def test_callbacks_can_contradict_each_other(fal: FalOverHttp) -> None:
    """`conflicting` sends the opposite status for the same request, also signed."""
    for mishaps, expected in (
        ("conflicting", ["OK", "ERROR"]),
        ("conflicting, error-422", ["ERROR", "OK"]),
    ):
        pair = fal.delivered(mishaps, count=2)
        assert expected == [callback.json["status"] for callback in pair]
        assert 1 == len({callback.request_id for callback in pair})


def test_a_wrong_key_is_not_published(fal: FalOverHttp) -> None:
    """`wrong-key` signs with a key that is not in the key set."""
    (callback,) = fal.delivered("wrong-key")
    assert not callback.signed_by(fal.jwks())


@pytest.mark.parametrize(
    ("mishap", "age"), [("stale-timestamp", 600), ("stale-timestamp=400", 400)]
)
def test_a_stale_timestamp_is_signed_correctly(fal: FalOverHttp, mishap: str, age: int) -> None:
    """`stale-timestamp` is as far in the past as requested."""
    (callback,) = fal.delivered(mishap)
    actual = time.time() - int(callback.headers["x-fal-webhook-timestamp"])
    assert age <= actual < age + TIMEOUT_SECONDS
    assert callback.signed_by(fal.jwks())


def test_a_callback_of_another_account_is_signed_by_fal(fal: FalOverHttp) -> None:
    """`foreign-account` is a valid signature for another account."""
    (callback,) = fal.delivered("foreign-account")
    assert fal.environment["FALHOOK_FAL_USER_IDS"] != callback.headers["x-fal-webhook-user-id"]
    assert callback.signed_by(fal.jwks())


def test_a_bad_request_id_is_signed_in_the_header(fal: FalOverHttp) -> None:
    """`bad-request-id` has different ids, and a signature over that of the header."""
    (callback,) = fal.delivered("bad-request-id")
    assert callback.request_id != callback.json["request_id"]
    assert callback.signed_by(fal.jwks())


def test_a_mishap_can_be_limited_to_the_first_try(fal: FalOverHttp) -> None:
    """With `times`, the retry of a refused callback is correct."""
    box = fal.receiver.mailbox(answers=[401])
    fal.submit("wrong-key, times=1", box=box)
    first, second = box.wait(2)
    assert (False, True) == (first.signed_by(fal.jwks()), second.signed_by(fal.jwks()))


def test_a_result_can_be_fetched_before_a_late_callback(fal: FalOverHttp) -> None:
    """`callback-late` waits in fal's time after the result was stored."""
    box = fal.receiver.mailbox()
    request_id = fal.submit("callback-late=60", box=box)
    fal.wait("render", request_id)
    result = fal.http.get(f"/fal-ai/kling-video/requests/{request_id}")
    assert (200, []) == (result.status_code, box.received)
    assert request_id == box.wait()[0].request_id


def test_a_callback_that_never_comes_can_be_released(fal: FalOverHttp) -> None:
    """`callback-never` delays the callback of a finished render until it is released."""
    box = fal.receiver.mailbox()
    request_id = fal.submit("callback-never", box=box)
    fal.wait("callback_held", request_id)
    assert 200 == fal.http.get(f"/fal-ai/kling-video/requests/{request_id}").status_code
    assert [] == box.received
    fal.http.post(f"/_sim/release/{request_id}")
    assert request_id == box.wait()[0].request_id


def test_a_held_render_has_no_result(fal: FalOverHttp) -> None:
    """`callback-hold` keeps the render in progress until it is released."""
    box = fal.receiver.mailbox()
    request_id = fal.submit("callback-hold", box=box)
    fal.wait("callback_held", request_id)
    result = fal.http.get(f"/fal-ai/kling-video/requests/{request_id}")
    assert (400, True) == (result.status_code, "in progress" in result.json()["detail"])
    fal.http.post(f"/_sim/release/{request_id}")
    assert request_id == box.wait()[0].request_id


def test_two_callbacks_can_change_places(fal: FalOverHttp) -> None:
    """`out-of-order` delivers a callback after that of the next submitted job."""
    box = fal.receiver.mailbox()
    first = fal.submit("out-of-order", box=box)
    fal.wait("callback_held", first)
    second = fal.submit("out-of-order", box=box)
    assert [second, first] == [callback.request_id for callback in box.wait(2)]


def test_a_callback_is_retried_until_accepted(fal: FalOverHttp) -> None:
    """4xx, 5xx and no response are retried, each with a new signature, until a 2xx."""
    box = fal.receiver.mailbox(answers=[0, 500, 404, 204])
    request_id = fal.submit(box=box)
    tries = box.wait(4)
    fal.wait("callback_accepted", request_id)
    (job,) = [
        job for job in fal.http.get("/_sim/requests").json() if job["request_id"] == request_id
    ]
    assert [None, 500, 404, 204] == job["answers"]
    jwks = fal.jwks()
    assert [True] * 4 == [callback.signed_by(jwks) for callback in tries]
    counts = fal.counts()["requests"][request_id]
    assert (4, 3, 1, 2, 1) == tuple(
        counts[kind]
        for kind in (
            "callbacks",
            "callback_answered",
            "callback_accepted",
            "callback_refused",
            "callback_unanswered",
        )
    )


def test_a_redirect_ends_the_delivery(fal: FalOverHttp) -> None:
    """A 3xx is neither followed nor retried."""
    box = fal.receiver.mailbox(answers=[302])
    request_id = fal.submit(box=box)
    fal.wait("callback_abandoned", request_id)
    assert 1 == fal.counts()["requests"][request_id]["callbacks"]


def test_gaps_grow_and_retries_end_with_the_result(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """31 tries with growing gaps fit into an hour; then the result expires too."""
    assert list(GAPS) == sorted(GAPS)
    assert sum(GAPS) < RESULT_SECONDS
    directory = tmp_path_factory.getbasetemp() / "hasty"
    with fal_running(directory, speed=2000) as hasty:
        box = hasty.receiver.mailbox(answers=[503] * 40)
        request_id = hasty.submit(box=box)
        hasty.wait("callback_abandoned", request_id)
        assert 20 < len(box.received) <= 31
        silent = hasty.submit("callback-late=3700", box=box)
        hasty.wait("callback_abandoned", silent)
        result = hasty.http.get(f"/fal-ai/kling-video/requests/{silent}")
        assert 404 == result.status_code


def test_retries_of_a_large_result_end_after_six_minutes(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """A result of 10 KB expires early: a receiver that is down for longer loses its callback."""
    directory = tmp_path_factory.getbasetemp() / "large"
    with fal_running(directory, speed=100) as hasty:
        box = hasty.receiver.mailbox(answers=[503] * 40)
        request_id = hasty.submit("result-large", box=box)
        hasty.wait("callback_abandoned", request_id)
        within = [time for time in itertools.accumulate(GAPS) if time < LARGE_RESULT_SECONDS]
        assert 3 < len(box.received) <= 1 + len(within)
        result = hasty.http.get(f"/fal-ai/kling-video/requests/{request_id}")
        assert 404 == result.status_code


def test_a_rotated_key_signs_and_keep_publishes_the_old_one(fal: FalOverHttp) -> None:
    """After a rotation the new key signs; with `keep` earlier callbacks still verify."""
    (before,) = fal.delivered()
    fal.http.post("/_sim/keys/rotate?keep=1")
    assert before.signed_by(fal.jwks())
    fal.http.post("/_sim/keys/rotate")
    (after,) = fal.delivered()
    assert (False, True) == (before.signed_by(fal.jwks()), after.signed_by(fal.jwks()))


def test_the_keys_can_be_unavailable(fal: FalOverHttp) -> None:
    """The key set returns an error until the control resets it."""
    fal.http.post("/_sim/jwks?status=503")
    failed = fal.http.get("/.well-known/jwks.json").status_code
    fal.http.post("/_sim/jwks?status=200")
    assert (503, 200) == (failed, fal.http.get("/.well-known/jwks.json").status_code)


def test_a_callback_can_be_sent_again(fal: FalOverHttp) -> None:
    """Redelivery returns the receiver's status."""
    box = fal.receiver.mailbox(answers=[200, 418])
    request_id = fal.submit(box=box)
    fal.wait("callback_accepted", request_id)
    assert {"answer": 418} == fal.http.post(f"/_sim/redeliver/{request_id}").json()
    assert 2 == len(box.received)
