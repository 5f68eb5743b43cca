"""Callbacks and missed deadlines: what each means for its job, in every order they can come."""

import json
import threading
from dataclasses import replace

import httpx
import pytest
import structlog

from tests.factories.world import DEADLINE, VIDEO, ScriptedFal, World, answer, callback, request
from webhook.contract import INBOX, Callback, Task, inbox_key
from webhook.shards import key_of
from worker.jobs.change import Change
from worker.jobs.job import JobState
from worker.operations.retry import Retry, resume_state
from worker.steps import ingest
from worker.steps.callbacks import Report, read
from worker.steps.inbox import MAX_CRASHES, aside_key
from worker.steps.lookup import LOOK_UP_TIME, MAX_LOOK_UPS
from worker.types import Json

S = JobState


def test_a_callback_renders_and_leaves_the_inbox(world: World) -> None:
    """The payload is on the record, the download woken, nothing pending any more."""
    world.add_submitted()
    world.wakes.clear()
    world.deliver(callback())
    job = world.job()
    assert (S.RENDERED, VIDEO, request()) == (job.state, job.payload, job.request_id)
    assert ([(Task.DOWNLOAD, "job1")], []) == (world.wakes, world.pending())


def test_a_callback_twice_is_one_publication(world: World) -> None:
    """A second delivery of the same callback is noted, and changes nothing."""
    world.add_submitted()
    world.deliver(callback())
    world.follow_wakes()
    world.deliver(callback())
    world.follow_wakes()
    assert (S.PUBLISHED, ["job1"]) == (world.state(), world.published)
    assert ("duplicate", []) == (world.names()[-1], world.pending())


def test_a_repeat_wakes_what_was_lost(world: World) -> None:
    """If the wake after the first delivery was lost, the second one makes up for it."""
    world.add_submitted()
    world.deliver(callback())
    world.wakes.clear()
    world.deliver(callback())
    assert [(Task.DOWNLOAD, "job1")] == world.wakes


def test_fifty_at_once_are_one_render(world: World, redis_url: str) -> None:
    """Fifty workers that ingest the same callback at once move the job once."""
    world.add_submitted()
    world.receive(callback())
    threads = [threading.Thread(target=world.ingest.run, args=(["job1"],)) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rendered = [event for event in world.history() if event["to"] == S.RENDERED]
    moved = [event for event in rendered if event["from"] != S.RENDERED]
    assert (1, S.RENDERED, []) == (len(moved), world.state(), world.pending())


@pytest.mark.parametrize(
    "second",
    [
        callback(payload={"video": {"url": "https://v3b.fal.media/files/b/other.mp4"}}),
        callback(status="ERROR", error="Invalid status code: 500", payload=None),
        callback(request_id=request(777)),
    ],
)
@pytest.mark.parametrize("ended", [True, False])
def test_a_conflict_is_recorded_and_flips_nothing(
    world: World, second: object, ended: bool
) -> None:
    """A body that contradicts the one taken is noted as a conflict, and the first one stands."""
    world.add_submitted()
    world.deliver(callback())
    if ended:
        world.follow_wakes()
    before = world.job()
    world.deliver(second)  # type: ignore[arg-type]
    after = world.job()
    assert (before.state, before.payload, before.callback) == (
        after.state,
        after.payload,
        after.callback,
    )
    assert ("conflict", []) == (world.names()[-1], world.pending())


def test_conflicting_bodies_in_one_batch(world: World) -> None:
    """Of two bodies that wait together the older one counts, the other is a conflict."""
    world.add_submitted()
    failed = callback(status="ERROR", error="boom", payload=None, received_at=2.0)
    world.deliver(failed, callback(received_at=1.0))
    assert (S.RENDERED, ["moved", "conflict"]) == (world.state(), world.names()[-2:])


def test_an_older_attempt_settles_nothing(world: World, fal: ScriptedFal) -> None:
    """A callback of an attempt before the present one is a conflict."""
    fal.answers = [answer(429)]
    world.add_submitted()
    world.clock.forward(60)
    world.pipeline.run(Task.SUBMIT, "job1")
    assert 2 == world.job().attempt
    world.deliver(callback(attempt=1, request_id=request(1)))
    assert (S.SUBMITTED, "conflict") == (world.state(), world.names()[-1])


def test_an_attempt_that_redis_lost_is_not_sent_again(world: World, fal: ScriptedFal) -> None:
    """A record that was restored from before its POST takes the callback of it."""
    world.add()
    world.wakes.clear()
    world.deliver(callback())
    world.follow_wakes()
    assert (S.PUBLISHED, 1, 0) == (world.state(), world.job().attempt, fal.count("POST"))


def test_a_lost_attempt_of_a_cancelled_job_is_kept(world: World, fal: ScriptedFal) -> None:
    """Whoever cancelled a job of a restored Redis can still publish what comes, for nothing."""
    job = world.add()
    world.wakes.clear()
    world.store.change(job.id, [S.QUEUED], Change(to=S.CANCELLED, due=0))
    world.deliver(callback())
    assert (S.CANCELLED, S.RENDERED) == (world.state(), resume_state(world.job()))
    assert ("callback_kept", 0) == (world.names()[-1], fal.count("POST"))


def test_a_lost_attempt_of_a_stored_result_is_a_conflict(world: World) -> None:
    """A job that has a result keeps it, and its own attempt."""
    world.add_submitted()
    world.deliver(callback())
    world.deliver(callback(attempt=2, request_id=request(2)))
    assert (1, "conflict") == (world.job().attempt, world.names()[-1])


def test_a_late_callback_revives_an_expired_job(world: World) -> None:
    """A callback after the deadline brings a paid result, which is published."""
    world.add_submitted()
    world.clock.forward(DEADLINE + 1)
    world.sweep.run()
    world.follow_wakes()
    assert S.EXPIRED == world.state()
    world.deliver(callback())
    world.follow_wakes()
    assert (S.PUBLISHED, "") == (world.state(), world.job().reason)


def test_callback_never_and_the_result_is_there(world: World, fal: ScriptedFal) -> None:
    """At the deadline one GET of the result, never of the status, brings the job on."""
    world.add_submitted()
    fal.answers = [answer(200, VIDEO)]
    world.clock.forward(DEADLINE + 1)
    world.sweep.run()
    world.follow_wakes()
    gets = [str(request.url) for request in fal.requests if request.method == "GET"]
    assert (S.PUBLISHED, 1) == (world.state(), len(gets))
    assert gets[0].endswith(request())


def test_callback_never_and_no_result(world: World, fal: ScriptedFal) -> None:
    """Without a result the job is EXPIRED after that one GET, and says so."""
    world.add_submitted()
    world.clock.forward(DEADLINE + 1)
    for _ in range(5):
        world.sweep.run()
        world.follow_wakes()
        world.clock.forward(600)
    job = world.job()
    assert (S.EXPIRED, "no_callback", 1) == (job.state, job.reason, fal.count("GET"))


def test_no_look_up_before_the_deadline(world: World, fal: ScriptedFal) -> None:
    """A wake without a callback asks fal nothing while there is time."""
    world.add_submitted()
    world.clock.forward(DEADLINE - 1)
    world.ingest.run(["job1"])
    assert (S.SUBMITTED, 0) == (world.state(), fal.count("GET"))


def test_an_unknown_request_expires_without_a_get(world: World, fal: ScriptedFal) -> None:
    """A job whose request id nobody learnt cannot be looked up."""
    fal.answers = [httpx.ReadError("cut")]
    world.add_submitted()
    world.clock.forward(DEADLINE + 1)
    world.sweep.run()
    world.follow_wakes()
    assert (S.EXPIRED, 0) == (world.state(), fal.count("GET"))


def test_a_get_without_an_answer_is_tried_again(world: World, fal: ScriptedFal) -> None:
    """fal away at the deadline does not cost a paid result: it is asked again, a few times."""
    world.add_submitted()
    fal.answers = [answer(503), httpx.ConnectError("down"), answer(200, VIDEO)]
    world.clock.forward(DEADLINE + 1)
    for _ in range(3):
        world.sweep.run()
        world.follow_wakes()
        world.clock.forward(LOOK_UP_TIME + 1)
    assert (S.PUBLISHED, 3) == (world.state(), fal.count("GET"))


def test_gets_without_an_answer_are_bounded(world: World, fal: ScriptedFal) -> None:
    """A fal that never answers leaves the job EXPIRED, after a handful of GETs."""
    world.add_submitted()
    fal.answers = [answer(503)] * 100
    for _ in range(30):
        world.clock.forward(DEADLINE)
        world.sweep.run()
        world.follow_wakes()
    assert (S.EXPIRED, MAX_LOOK_UPS) == (world.state(), fal.count("GET"))


RUNNER: Json = {"detail": "No runner became available in time", "error_type": "runner_disconnected"}
MODEL: Json = {
    "detail": [{"loc": ["body"], "msg": "downstream", "type": "downstream_service_error"}]
}


@pytest.mark.parametrize(
    ("response", "reason", "gets"),
    [
        (answer(503, RUNNER), "runner_disconnected", 1),
        (answer(504, {"detail": "late", "error_type": "request_timeout"}), "request_timeout", 1),
        (
            answer(502, None, **{"X-Fal-Error-Type": "runner_incomplete_response"}),
            "runner_incomplete_response",
            1,
        ),
        (answer(500, MODEL), "downstream_service_error", 1),
        (answer(400, MODEL), "downstream_service_error", 1),
        (answer(422, MODEL), "result_422", 1),
        (answer(499, {"detail": "gone", "error_type": "client_cancelled"}), "result_499", 1),
        # Either the render or this request failed so: it is repeated before that counts.
        (
            answer(500, {"detail": "oops", "error_type": "internal_error"}),
            "internal_error",
            MAX_LOOK_UPS,
        ),
    ],
)
def test_an_error_that_fal_names_ends_the_job(
    world: World, fal: ScriptedFal, response: httpx.Response, reason: str, gets: int
) -> None:
    """What fal says of the render by a type is its end, in fal's words, as in a callback."""
    world.add_submitted()
    fal.answers = [response] * 9
    for _ in range(9):
        world.clock.forward(DEADLINE)
        world.sweep.run()
        world.follow_wakes()
    job = world.job()
    assert (S.FAILED, reason, gets) == (job.state, job.reason, fal.count("GET"))
    assert f"fal answered {response.status_code}" in job.sentence


@pytest.mark.parametrize(
    ("response", "gets"),
    [
        (answer(503, {"detail": "Service Unavailable"}), MAX_LOOK_UPS),
        (httpx.Response(504, text="<html>gateway</html>"), MAX_LOOK_UPS),
        (answer(400, {"detail": "Request is still in progress", "error_type": "bad_request"}), 1),
        (answer(404, {"status": "NOT_FOUND"}), 1),
    ],
)
def test_an_error_without_a_type_says_nothing_of_the_render(
    world: World, fal: ScriptedFal, response: httpx.Response, gets: int
) -> None:
    """It may come from anything on the way, or mean that there is no result: the job is EXPIRED."""
    world.add_submitted()
    fal.answers = [response] * 9
    for _ in range(9):
        world.clock.forward(DEADLINE)
        world.sweep.run()
        world.follow_wakes()
    assert (S.EXPIRED, gets) == (world.state(), fal.count("GET"))


def test_two_look_ups_at_once_ask_once(world: World, fal: ScriptedFal) -> None:
    """Whoever claims the look-up first makes it alone."""
    world.add_submitted()
    world.clock.forward(DEADLINE + 1)
    fal.before_answer = lambda: world.ingest.run(["job1"])
    world.ingest.run(["job1"])
    assert (S.EXPIRED, 1) == (world.state(), fal.count("GET"))


@pytest.mark.parametrize("before", [S.SUBMITTED, S.SUBMIT_UNKNOWN, S.EXPIRED, S.SUBMITTING])
def test_payload_null_is_one_get(world: World, fal: ScriptedFal, before: JobState) -> None:
    """OK without a payload fetches the result once, from whatever state; it is no failure."""
    if before is S.SUBMIT_UNKNOWN:
        fal.answers = [httpx.ReadError("cut")]
    null = callback(payload=None)
    if before is S.SUBMITTING:
        world.add()
        fal.before_answer = lambda: world.receive(null)
        world.pipeline.run(Task.SUBMIT, "job1")
        fal.before_answer = lambda: None
    else:
        world.add_submitted()
    if before is S.EXPIRED:
        world.clock.forward(DEADLINE + 1)
        world.ingest.run(["job1"])
        assert S.EXPIRED == world.state()
    fal.requests.clear()
    fal.answers = [answer(200, VIDEO)]
    world.deliver(null)
    world.follow_wakes()
    assert (S.PUBLISHED, 1) == (world.state(), fal.count("GET"))


def test_payload_null_without_a_result_expires(world: World, fal: ScriptedFal) -> None:
    """fal lost a result it reported: EXPIRED, never FAILED, and repeats ask no more."""
    world.add_submitted()
    world.deliver(callback(payload=None))
    world.deliver(callback(payload=None))
    assert (S.EXPIRED, "payload_null", 1) == (
        world.state(),
        world.job().reason,
        fal.count("GET"),
    )


def test_payload_null_whose_worker_dies_in_the_get(world: World, fal: ScriptedFal) -> None:
    """The timer, not the message, brings the look-up back after a worker died in it."""
    world.add_submitted()

    class Killed(BaseException):
        pass

    def die() -> None:
        raise Killed

    fal.before_answer = die
    with pytest.raises(Killed):
        world.deliver(callback(payload=None))
    fal.before_answer = lambda: None
    fal.answers = [answer(200, VIDEO)]
    world.clock.forward(LOOK_UP_TIME + 1)
    world.sweep.run()
    world.follow_wakes()
    assert S.PUBLISHED == world.state()


def test_a_batch_asks_fal_nothing(world: World, fal: ScriptedFal) -> None:
    """In a batch look-ups wait for a wake of their own, so that nobody waits for them."""
    for job_id in ("job1", "job2"):
        world.add_submitted(job_id)
        world.receive(callback(payload=None, request_id=""), job_id=job_id)
    for job_id in ("job1", "job2"):
        world.raw.delete(inbox_key(job_id))
        world.receive(
            callback(payload=None, request_id=world.job(job_id).request_id), job_id=job_id
        )
    fal.answers = [answer(200, VIDEO)] * 2
    world.ingest.run(["job1", "job2"])
    assert 0 == fal.count("GET")
    world.sweep.run()
    world.follow_wakes()
    assert (S.PUBLISHED, S.PUBLISHED, 2) == (
        world.state("job1"),
        world.state("job2"),
        fal.count("GET"),
    )


MODEL_ERROR: Json = {
    "detail": [
        {
            "loc": ["body", "prompt"],
            "msg": "flagged by a content checker",
            "type": "content_policy_violation",
            "input": "A very secret prompt",
        }
    ]
}
PLATFORM_ERROR: Json = {"detail": "Runner disconnected", "error_type": "runner_disconnected"}


@pytest.mark.parametrize(
    ("payload", "reason", "helps"),
    [
        (MODEL_ERROR, "content_policy_violation", False),
        (PLATFORM_ERROR, "runner_disconnected", True),
    ],
)
def test_an_error_fails_the_job_in_plain_words(
    world: World, payload: Json, reason: str, helps: bool
) -> None:
    """fal's error ends the job with its reason, says if another try may help, echoes no prompt."""
    world.add_submitted()
    world.deliver(callback(status="ERROR", error="Invalid status code: 422", payload=payload))
    job = world.job()
    assert (S.FAILED, "render", reason) == (job.state, job.step, job.reason)
    assert (helps, False) == ("may help" in job.sentence, "secret" in job.sentence)


def test_a_result_without_a_video_fails(world: World) -> None:
    """A payload that names no file is kept, and the job says what is missing."""
    world.add_submitted()
    world.deliver(callback(payload={"images": []}))
    assert (S.FAILED, "no_video", {"images": []}) == (
        world.state(),
        world.job().reason,
        world.job().payload,
    )


def test_a_callback_of_a_job_that_ended_without_one_is_kept(world: World, fal: ScriptedFal) -> None:
    """A refused job whose callback comes all the same keeps the paid result for a retry."""
    fal.answers = [answer(422, {"detail": "no"})]
    world.add_submitted()
    world.deliver(callback())
    job = world.job()
    assert (S.FAILED, VIDEO, "callback_kept") == (job.state, job.payload, world.names()[-1])
    world.deliver(callback())
    assert "duplicate" == world.names()[-1]


def test_a_result_may_be_json_text(world: World, fal: ScriptedFal) -> None:
    """A payload that is a text of JSON is read, in a callback and at a look-up alike."""
    text = json.dumps(VIDEO)
    world.add_submitted()
    world.deliver(callback(payload=text))
    world.add_submitted("job2")
    world.receive(callback(payload=None, request_id=request(2)), job_id="job2")
    fal.answers = [answer(200, text)]
    world.ingest.run(["job2"])
    for job_id in ("job1", "job2"):
        assert (S.RENDERED, VIDEO) == (world.state(job_id), world.job(job_id).payload)


def test_orphans_are_set_aside_not_lost(world: World) -> None:
    """A callback without a job record is kept for a month, and pending no more."""
    world.deliver(callback(), job_id="nobody")
    ttl = world.raw.ttl(inbox_key("nobody"))
    assert ([], True) == (world.pending(), 29 * 86400 < int(str(ttl)) <= 30 * 86400)


def test_one_poisoned_entry_stops_nobody(world: World) -> None:
    """An entry that cannot be read stays; others go on, and its own job ends by its deadline."""
    world.add_submitted("poisoned")
    world.add_submitted("job1")
    world.raw.hset(inbox_key("poisoned"), "x", b"not an entry")
    world.raw.zadd(key_of("poisoned", INBOX), {"poisoned": 1.0})
    world.receive(callback(request_id=request(2)))
    world.ingest.run(["poisoned", "job1"])
    assert (S.RENDERED, ["poisoned"]) == (world.state("job1"), world.pending())
    world.clock.forward(DEADLINE + 1)
    world.sweep.run()
    world.follow_wakes()
    assert S.EXPIRED == world.state("poisoned")


def test_a_callback_for_a_job_that_waits_to_be_posted_again(world: World, fal: ScriptedFal) -> None:
    """A callback of an attempt that fal seemed not to take settles the job: no second POST."""
    fal.answers = [answer(429)]
    world.add_submitted()
    world.deliver(callback())
    world.follow_wakes()
    world.clock.forward(10_000)
    world.sweep.run()
    world.follow_wakes()
    assert (S.PUBLISHED, 1) == (world.state(), fal.count("POST"))


ERROR = callback(status="ERROR", error="Invalid status code: 500", payload=None)


def test_ok_after_error_is_published(world: World, fal: ScriptedFal) -> None:
    """fal's later word, that it rendered, counts: the paid result is published without a POST."""
    world.add_submitted()
    world.deliver(ERROR)
    assert S.FAILED == world.state()
    world.deliver(callback())
    world.follow_wakes()
    assert (S.PUBLISHED, "", 1) == (world.state(), world.job().reason, fal.count("POST"))


def test_files_that_come_with_an_error_are_kept(world: World, fal: ScriptedFal) -> None:
    """The job fails as fal says, and `falhook retry` publishes them without a POST."""
    world.add_submitted()
    world.deliver(callback(status="ERROR", error="upscaling failed", payload=VIDEO))
    job = world.job()
    assert (S.FAILED, "render_failed", VIDEO) == (job.state, job.reason, job.payload)
    assert "upscaling failed; files came with the error" in job.sentence
    Retry(store=world.store).retry(job)
    world.sweep.run()
    world.follow_wakes()
    assert (S.PUBLISHED, 1) == (world.state(), fal.count("POST"))


@pytest.mark.parametrize(
    "payload",
    [
        {"detail": [{"type": "file_download_error", "input": VIDEO}]},
        {"input": {"image": {"url": "https://v3b.fal.media/mine.png"}}},
        {"video": "https://v3b.fal.media/mine.mp4"},
        {"error": {"url": "https://docs.fal.ai/errors"}},
    ],
)
def test_inputs_in_an_error_are_not_kept(world: World, payload: Json) -> None:
    """fal repeats inputs in its errors: those are no result."""
    world.add_submitted()
    world.deliver(callback(status="ERROR", error="no", payload=payload))
    assert (S.FAILED, None) == (world.state(), world.job().payload)
    assert resume_state(world.job()) is None


def test_ok_after_an_error_with_files(world: World) -> None:
    """fal's later result counts, also if it is the same."""
    world.add_submitted()
    world.deliver(callback(status="ERROR", error="no", payload=VIDEO))
    world.deliver(callback())
    assert S.RENDERED == world.state()


@pytest.mark.parametrize("ended", ["cancelled", "refused"])
def test_ok_after_error_is_kept(world: World, fal: ScriptedFal, ended: str) -> None:
    """A job that ended before its ERROR came keeps the first result that comes after it."""
    if ended == "refused":
        fal.answers = [answer(422, {"detail": "no"})]
    world.add_submitted()
    if ended == "cancelled":
        world.store.change("job1", [S.SUBMITTED], Change(to=S.CANCELLED, due=0))
    world.deliver(ERROR)
    world.deliver(callback())
    world.deliver(callback(payload={"video": {"url": "https://v3b.fal.media/other.mp4"}}))
    assert (VIDEO, "conflict") == (world.job().payload, world.names()[-1])
    assert S.RENDERED is resume_state(world.job())


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("first", [callback(), ERROR])
def test_the_same_content_in_other_bytes_is_a_duplicate(
    world: World, first: Callback, ended: bool
) -> None:
    """The order of names, white space and the gateway's id say nothing new."""
    world.add_submitted()
    world.deliver(first)
    if ended:
        world.follow_wakes()
    content = dict(reversed(json.loads(first.body).items()), gateway_request_id="another")
    body = json.dumps(content, separators=(",", ":")).encode()
    world.deliver(replace(first, body=body))
    assert ("duplicate", []) == (world.names()[-1], world.pending())


def test_what_a_look_up_brought_before_is_a_duplicate(world: World, fal: ScriptedFal) -> None:
    """A callback after its own look-up is no conflict."""
    world.add_submitted()
    fal.answers = [answer(200, VIDEO)]
    world.clock.forward(DEADLINE + 1)
    world.ingest.run(["job1"])
    world.deliver(callback())
    assert ("duplicate", S.RENDERED) == (world.names()[-1], world.state())


@pytest.mark.parametrize(
    "body", [b"", b"not JSON", b"[]", b'{"status": "DONE"}', b'{"status": 7}', b"\xff\xfe{"]
)
def test_an_unread_callback_is_looked_up(world: World, fal: ScriptedFal, body: bytes) -> None:
    """Whatever a callback is, one GET brings the result; before the deadline none is no end."""
    world.add_submitted()
    fal.answers = [answer(400, {"detail": "Request is still in progress"}), answer(200, VIDEO)]
    world.deliver(replace(callback(), body=body))
    assert (S.SUBMITTED, "callback_unread", 1) == (
        world.state(),
        world.job().reason,
        fal.count("GET"),
    )
    world.clock.forward(DEADLINE + 1)
    world.sweep.run()
    world.follow_wakes()
    assert (S.PUBLISHED, "", 2) == (world.state(), world.job().reason, fal.count("GET"))


@pytest.mark.parametrize("status", ["ok", "COMPLETED", None])
def test_files_of_an_unread_callback_are_kept(
    world: World, fal: ScriptedFal, status: str | None
) -> None:
    """If the look-up brings nothing until the deadline, `falhook retry` publishes them."""
    world.add_submitted()
    fal.answers = [answer(404, {"detail": "gone"})] * 2
    world.deliver(callback(status=status))
    world.follow_wakes()
    world.clock.forward(DEADLINE + 1)
    world.sweep.run()
    world.follow_wakes()
    assert (S.EXPIRED, VIDEO) == (world.state(), world.job().payload)
    assert S.RENDERED is resume_state(world.job())


def test_ok_after_an_unread_callback(world: World, fal: ScriptedFal) -> None:
    """The same result in a callback that can be read settles the job."""
    world.add_submitted()
    fal.answers = [answer(404, {"detail": "gone"})]
    world.deliver(callback(status="ok"))
    world.deliver(callback())
    assert S.RENDERED == world.state()


def test_a_mark_proves_no_request_id(world: World, fal: ScriptedFal) -> None:
    """A callback whose body was not read, and not verified, brings no id of its own."""
    fal.answers = [httpx.ReadError("cut")]
    world.add_submitted()
    world.deliver(replace(callback(), body=b""))
    assert (S.SUBMIT_UNKNOWN, "", 0) == (world.state(), world.job().request_id, fal.count("GET"))


@pytest.mark.parametrize("readable", [False, True])
def test_a_callback_that_crashes_is_set_aside(
    world: World, monkeypatch: pytest.MonkeyPatch, readable: bool
) -> None:
    """After a few crashes it is pending no more, an alert is logged, and its bytes are kept."""
    world.add_submitted()
    entry = callback().encode() if readable else b"not an entry"
    name = callback().fingerprint
    world.raw.hset(inbox_key("job1"), name, entry)
    world.raw.zadd(key_of("job1", INBOX), {"job1": 1.0})

    def broken(_: object) -> Report:
        raise AttributeError

    monkeypatch.setattr(ingest, "read", broken)
    with structlog.testing.capture_logs() as lines:
        for _ in range(MAX_CRASHES):
            assert ["job1"] == world.pending()
            world.ingest.run(["job1"])
    assert [] == world.pending()
    assert ["error"] == [
        line["log_level"] for line in lines if line["event"] == "callback.set_aside"
    ]
    assert entry == world.raw.hget(aside_key("job1"), name)
    assert 0 < int(str(world.raw.ttl(aside_key("job1"))))


def test_a_crash_holds_up_no_other_callback(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two callbacks of a job the one that can be read settles it."""
    world.add_submitted()

    def broken(each: Callback) -> Report:
        if each.received_at < 2.0:
            raise AttributeError
        return read(each)

    monkeypatch.setattr(ingest, "read", broken)
    world.deliver(replace(ERROR, received_at=1.0), callback(received_at=3.0))
    assert (S.RENDERED, ["job1"]) == (world.state(), world.pending())
