"""Messages without a waiting caller: each becomes one job, or a record that says why not."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError
from structlog.testing import capture_logs

from infra.local.redis.server import RedisServer
from tests.factories.input_files import PNG, png
from tests.factories.listed import count_of, history_of, jobs_of
from tests.factories.world import ManualClock, ScriptedFal, World
from webhook.contract import Task
from webhook.shards import key_of
from worker.catalogue.catalogue import Catalogue
from worker.catalogue.endpoint import Endpoint
from worker.errors import Failure, Permanent, Transient
from worker.jobs.job import Job, JobState
from worker.jobs.store import JOBS, JobStore, job_key
from worker.operations.create import JobCreator
from worker.operations.create_message import Intake
from worker.operations.request import JobRequest
from worker.operations.staged_files import StagedFiles
from worker.operations.staging import Staging
from worker.operations.validation import Validator
from worker.storage import Storage

TEXT = "fal-ai/kling-video/v2.1/master/text-to-video"
IMAGE = "fal-ai/kling-video/v2.1/master/image-to-video"
MESSAGE = "3a3f3ec8-7e1c-4b0e-9e4f-0d2a5c6b7d80"
LONE = "\ud83d"


@pytest.fixture
def wakes() -> list[tuple[Task, str]]:
    """The wakes that were sent."""
    return []


@pytest.fixture
def intake(records: JobStore, tmp_path: Path, wakes: list[tuple[Task, str]]) -> Intake:
    """An intake whose files are in the test's directory."""
    (tmp_path / "cat.png").write_bytes(PNG)
    storage = Storage.open(str(tmp_path / "storage"))
    staging = Staging(storage=lambda: storage, directory=tmp_path)
    validator = Validator(catalogue=Catalogue.load(), staging=staging)
    creator = JobCreator(
        store=records, validator=validator, wake=lambda task, job: wakes.append((task, job))
    )
    return Intake(creator=creator)


Receive = Callable[..., None]


@pytest.fixture
def receive(intake: Intake) -> Receive:
    """Receive a message; by default a valid one."""

    def receive(*, message_id: str | None = MESSAGE, **changes: Any) -> None:
        fields = {"endpoint": TEXT, "arguments": {"prompt": "a fox"}, "job_id": "m1"} | changes
        intake.receive(JobRequest(**fields), message_id)

    return receive


def job(records: JobStore, job_id: str = "m1") -> Job:
    """Return the stored job."""
    record = records.get(job_id)
    assert record is not None
    return record


# --- messages that come twice -------------------------------------------------------------------


def test_a_message_without_an_id_is_one_job_however_often_it_comes(
    intake: Intake, receive: Receive, world: World, fal: ScriptedFal, wakes: list[tuple[Task, str]]
) -> None:
    """A message that is redelivered before and after the POST is paid for once."""
    for _ in range(2):
        receive(job_id=None)
        for task, job_id in wakes:
            world.pipeline.run(task, job_id)
    receive(job_id=None)
    assert [MESSAGE] == [job.id for job in jobs_of(intake.creator.store)]
    assert 1 == fal.count("POST")


def test_different_messages_are_different_jobs(intake: Intake, receive: Receive) -> None:
    """Equal contents, or no id at all, do not make two messages one job."""
    for message_id in (MESSAGE, "other", None, None):
        receive(job_id=None, message_id=message_id)
    assert 4 == len(jobs_of(intake.creator.store))


@pytest.mark.parametrize("message_id", ["no spaces", "x" * 65, "{uuid}", "ü", LONE])
def test_any_message_id_gives_a_valid_job_id(
    intake: Intake, receive: Receive, message_id: str
) -> None:
    """Clients may use any text as a message id."""
    for _ in range(2):
        receive(job_id=None, message_id=message_id)
    (created,) = jobs_of(intake.creator.store)
    assert (JobState.QUEUED, 16) == (created.state, len(created.id))


# --- messages that are refused ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"arguments": {"promt": "a"}}, "invalid_arguments"),
        ({"options": {"priority": "high"}}, "invalid_options"),
        ({"endpoint": "acme/x"}, "unknown_endpoint"),
        ({"endpoint": ["a/b"]}, "bad_endpoint"),
        ({"metadata": [1]}, "bad_metadata"),
        ({"metadata": {"falhook.profile": "nothing like it"}}, "bad_metadata"),
        ({"arguments": {"prompt": "a", "duration": 99}, "unchecked": "false"}, "bad_unchecked"),
        ({"unchecked": 1}, "bad_unchecked"),
        ({"tenant": "Acme"}, "bad_tenant"),
        ({"tenant": ["acme"], "endpoint": "acme/x", "unknown": ("a",)}, "bad_tenant"),
    ],
)
def test_a_rejected_message_is_a_failed_job(
    receive: Receive, records: JobStore, changes: dict[str, Any], reason: str
) -> None:
    """The record under the message's job id has the reason."""
    receive(**changes)
    record = job(records)
    assert (JobState.FAILED, reason, {}, True) == (
        record.state,
        record.reason,
        record.arguments,
        record.refused,
    )


def test_a_rejected_message_without_an_id_is_stored_too(
    receive: Receive, records: JobStore
) -> None:
    """It is stored once under the id of the message, however often it is delivered."""
    for _ in range(2):
        receive(job_id=None, arguments={})
    assert 1 == len(history_of(records, job(records, MESSAGE).id))


@pytest.mark.parametrize("value", ["file:loop.png", "file:~nobody-of-that-name/cat.png"])
def test_a_message_with_a_path_that_leads_nowhere_is_a_failed_job(
    receive: Receive, records: JobStore, tmp_path: Path, value: str
) -> None:
    """Circular links and unknown users are rejected like any unreadable path."""
    (tmp_path / "loop.png").symlink_to("loop.png")
    receive(endpoint=IMAGE, arguments={"prompt": "a", "image_url": value})
    assert "invalid_arguments" == job(records).reason


@pytest.mark.parametrize("kind", [Transient, Permanent])
def test_a_message_whose_files_cannot_be_stored_is_kept(
    receive: Receive, records: JobStore, monkeypatch: pytest.MonkeyPatch, kind: type[Failure]
) -> None:
    """If storage is unavailable or full, the message may become a job later."""

    def full(*_: object, **__: object) -> None:
        raise kind("storage_failed", "no space left")

    message = {"endpoint": IMAGE, "arguments": {"prompt": "a", "image_url": "file:cat.png"}}
    with monkeypatch.context() as patched:
        patched.setattr(Storage, "put", full)
        with pytest.raises(kind):
            receive(**message)
    assert [] == list(jobs_of(records))
    receive(**message)
    assert JobState.QUEUED is job(records).state


def test_a_message_whose_file_changes_is_a_failed_job(
    intake: Intake, receive: Receive, records: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record says that the validated file has changed."""
    put = Staging.put

    def change_first(staging: Staging, staged: StagedFiles) -> None:
        staging.directory.joinpath("cat.png").write_bytes(png(padding=3))  # type: ignore[union-attr]
        put(staging, staged)

    monkeypatch.setattr(Staging, "put", change_first)
    receive(endpoint=IMAGE, arguments={"prompt": "a", "image_url": "file:cat.png"})
    assert "input_changed" == job(records).reason


def test_a_full_redis_keeps_the_message(
    receive: Receive, records: JobStore, redis_server: RedisServer
) -> None:
    """A full Redis stores neither job nor rejection, so the message must be retried."""
    with Redis.from_url(redis_server.url) as redis:
        redis.config_set("maxmemory", 1)
        try:
            for arguments in ({"prompt": "a"}, {}):
                with pytest.raises(RedisError, match="maxmemory"):
                    receive(arguments=arguments)
        finally:
            redis.config_set("maxmemory", 0)
    assert [] == list(jobs_of(records))


@pytest.mark.parametrize("job_id", ["A red fox in the snow", 7, ["A red fox"], ""])
def test_a_message_with_a_malformed_id_creates_no_job(
    receive: Receive, records: JobStore, job_id: object
) -> None:
    """It is only logged, by the type and length of its id, without its text."""
    with capture_logs() as lines:
        receive(job_id=job_id)
        receive(job_id=job_id, arguments={})
    assert [] == list(jobs_of(records))
    assert ["job.refused"] * 2 == [line["event"] for line in lines]
    length = len(job_id) if isinstance(job_id, str) else 0
    assert (type(job_id).__name__, length) == (lines[0]["type"], lines[0]["length"])
    assert "fox" not in str(lines)


def test_a_field_that_no_order_has_is_told(receive: Receive, records: JobStore) -> None:
    """An unknown field makes a FAILED job, whose sentence names it."""
    receive(unknown=("notify_url",))
    assert (JobState.FAILED, True) == (job(records).state, "notify_url" in job(records).sentence)


@pytest.mark.parametrize(
    "changes",
    [
        {"endpoint": f"fal-ai/{LONE}"},
        {"endpoint": f"fal-ai/{LONE}", "unchecked": True},
        {"endpoint": "acme/x", "unchecked": True, "arguments": {LONE: 1}},
        {"endpoint": "acme/x", "unchecked": True, "arguments": {LONE: "file:none.png"}},
        {"endpoint": "acme/x", "unchecked": True, "arguments": {"a": {LONE: "file:none.png"}}},
        {"arguments": {LONE: 1}},
        {"arguments": {"prompt": LONE}},
        {"options": {LONE: LONE}},
        {"options": {"tags": {LONE: LONE}}},
        {"options": {"runner_hint": LONE}},
        {"metadata": {"falhook.profile": LONE}},
        {"metadata": {LONE: "x"}},
        {"metadata": {"title": [{"a": LONE}]}},
        {"metadata": {"number": float("nan")}},
        {"unknown": (LONE,)},
        {"endpoint": LONE, "metadata": {"a": LONE}},
    ],
    ids=ascii,
)
def test_the_rejection_of_any_message_can_be_stored(
    receive: Receive, records: JobStore, changes: dict[str, Any]
) -> None:
    """Its record can be encoded as JSON in UTF-8, so that every command can show it."""
    receive(**changes)
    record = job(records)
    assert JobState.FAILED is record.state
    json.dumps(asdict(record), ensure_ascii=False, allow_nan=False).encode()


def test_a_message_that_crashes_validation_is_stored(
    receive: Receive, records: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Record and log have the place of the crash, and no text of the message."""

    def broken(*_: object, **__: object) -> None:
        raise KeyError(" ".join(["a", "red", "fox"]))

    monkeypatch.setattr(Endpoint, "check", broken)
    with capture_logs() as lines:
        receive()
    assert ("crashed", True) == (job(records).reason, "KeyError" in job(records).sentence)
    assert ["create.crashed", "job.refused"] == [line["event"] for line in lines]
    assert "model.check" in lines[0]["where"]
    assert "red fox" not in str(lines)


@pytest.mark.parametrize(
    "changes",
    [
        {"metadata": {"falhook.profile": "x" * 200_000}},
        {"metadata": {f"name{number}": LONE for number in range(5_000)}},
        {"options": {"tags": {f"TAG {number}": "x" for number in range(5_000)}}},
        {"endpoint": "x/" * 50_000},
        {"endpoint": "x" * 100_000, "unchecked": True},
        {"endpoint": "/".join(["x" * 100] * 8), "unchecked": True},
        {"arguments": {f"x{number}": 1 for number in range(5_000)}},
        {"unknown": tuple(f"x{number}" for number in range(5_000))},
        {"endpoint": "a/b", "unchecked": True, "arguments": {"x" * 100_000: "file:none.png"}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_rejection_is_short_however_much_is_wrong(
    receive: Receive, records: JobStore, changes: dict[str, Any]
) -> None:
    """Record and event have a few thousand characters, even of a message of megabytes."""
    receive(**changes)
    record = job(records)
    assert JobState.FAILED is record.state
    assert len(record.sentence) < 20_000
    assert len(record.endpoint) <= 201


def test_a_short_rejection_counts_the_other_problems(receive: Receive, records: JobStore) -> None:
    """The last line counts the problems that are not listed."""
    receive(arguments={"prompt": "a"} | {f"x{number}": 1 for number in range(5_000)})
    assert "and 4,960 more" == job(records).sentence.split("\n")[-1].strip()
    receive(options={"tags": {f"TAG {number}": "x" for number in range(5_000)}})
    assert "and 4,951 more" == job(records).sentence.split("\n")[-1].strip()


# --- the same id, corrected ---------------------------------------------------------------------


def test_a_message_with_a_corrected_tenant_replaces_the_rejected_one(
    receive: Receive, records: JobStore
) -> None:
    """A rejection for its tenant is recorded for the default one, and keeps the id for nobody."""
    receive(tenant="Acme")
    assert ("default", True) == (job(records).tenant, '"Acme"' in job(records).sentence)
    receive(tenant="acme")
    assert ("acme", JobState.QUEUED) == (job(records).tenant, job(records).state)


def test_a_corrected_message_replaces_the_rejected_one(
    receive: Receive, records: JobStore, wakes: list[tuple[Task, str]]
) -> None:
    """The job has the same id; the first rejection remains in the history only."""
    clock = records.clock = ManualClock()
    receive(arguments={"promt": "a"})
    clock.forward(60)
    receive(metadata={"title": "Fox"})
    created = job(records)
    assert (JobState.QUEUED, "", "", "") == (
        created.state,
        created.step,
        created.reason,
        created.sentence,
    )
    assert ({"prompt": "a fox"}, {"title": "Fox"}) == (created.arguments, created.metadata)
    assert [(Task.SUBMIT, "m1")] == wakes
    moves = [(event["from"], event["to"]) for event in history_of(records, "m1")]
    assert [("", "FAILED"), ("FAILED", "QUEUED")] == moves
    assert (0, 1) == (count_of(records, JobState.FAILED), count_of(records, JobState.QUEUED))
    assert (clock.now, clock.now) == (
        created.created_at,
        records.redis.zscore(key_of("m1", JOBS), "m1"),
    )
    assert created.due_at > clock.now


def test_a_second_rejection_replaces_the_reason(receive: Receive, records: JobStore) -> None:
    """A sender who corrects one of two mistakes sees the other."""
    receive(arguments={"promt": "a"})
    receive(options={"priority": "high"})
    assert "invalid_options" == job(records).reason


def test_a_late_rejection_does_not_change_a_job(receive: Receive, records: JobStore) -> None:
    """Messages are delivered late and in any order; a created job remains."""
    receive(arguments={})
    receive()
    receive(arguments={})
    assert JobState.QUEUED is job(records).state


@pytest.mark.parametrize("ended", [{"step": "submit"}, {"attempt": 1}, {"posted": 1}])
def test_other_failed_jobs_are_not_replaced(
    receive: Receive, records: JobStore, ended: dict[Any, Any]
) -> None:
    """A job that was claimed may have been paid for."""
    receive(arguments={})
    records.redis.hset(job_key("m1"), mapping=ended)
    receive()
    assert JobState.FAILED is job(records).state


def test_of_corrected_messages_at_once_one_makes_the_job(
    intake: Intake, records: JobStore, wakes: list[tuple[Task, str]]
) -> None:
    """Concurrent messages in any order create one job, of one request."""
    rivals = [{"prompt": "a"}, {"prompt": "a"}, {"prompt": "b"}, {}]
    barrier = threading.Barrier(len(rivals))

    def rival(number: int, arguments: dict[str, Any]) -> None:
        barrier.wait(timeout=30)
        request = JobRequest(endpoint=TEXT, arguments=arguments, job_id=f"m{number}")
        intake.receive(request, None)

    with ThreadPoolExecutor(len(rivals)) as pool:
        for number in range(30):
            intake.receive(JobRequest(endpoint=TEXT, arguments={}, job_id=f"m{number}"), None)
            list(pool.map(rival, [number] * len(rivals), rivals))
            names = [event["to"] for event in history_of(records, f"m{number}")]
            assert 1 == names.count(JobState.QUEUED)
    assert (30, 0) == (count_of(records, JobState.QUEUED), count_of(records, JobState.FAILED))
    assert {f"m{number}" for number in range(30)} == {job_id for _, job_id in wakes}
