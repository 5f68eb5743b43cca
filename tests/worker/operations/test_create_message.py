"""Messages that nobody waits for: each becomes one job, or a record that says why not."""

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
from tests.factories.world import ManualClock, ScriptedFal, World
from webhook.contract import Task
from worker.catalogue.catalogue import Catalogue
from worker.catalogue.endpoint import Endpoint
from worker.errors import Failure, Permanent, Transient
from worker.jobs.events import history
from worker.jobs.job import Job, JobState
from worker.jobs.store import JOBS, JobStore
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
    """The messages that were sent."""
    return []


@pytest.fixture
def intake(records: JobStore, tmp_path: Path, wakes: list[tuple[Task, str]]) -> Intake:
    """An intake whose files lie in a directory of the test."""
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
    """Takes a message in; by default a good one."""

    def receive(*, message_id: str | None = MESSAGE, **changes: Any) -> None:
        given = {"endpoint": TEXT, "arguments": {"prompt": "a fox"}, "job_id": "m1"} | changes
        intake.receive(JobRequest(**given), message_id)

    return receive


def job(records: JobStore, job_id: str = "m1") -> Job:
    """The job as it stands."""
    found = records.get(job_id)
    assert found is not None
    return found


# --- messages that come twice -------------------------------------------------------------------


def test_a_message_without_an_id_is_one_job_however_often_it_comes(
    intake: Intake, receive: Receive, world: World, fal: ScriptedFal, wakes: list[tuple[Task, str]]
) -> None:
    """Redelivered before and after the POST, it is paid for once."""
    for _ in range(2):
        receive(job_id=None)
        for task, job_id in wakes:
            world.pipeline.run(task, job_id)
    receive(job_id=None)
    assert [MESSAGE] == [job.id for job in intake.creator.store.list()]
    assert 1 == fal.count("POST")


def test_other_messages_are_other_jobs(intake: Intake, receive: Receive) -> None:
    """Also two of the same contents; and a message that has no id at all is a job of its own."""
    for message_id in (MESSAGE, "other", None, None):
        receive(job_id=None, message_id=message_id)
    assert 4 == len(intake.creator.store.list())


@pytest.mark.parametrize("message_id", ["no spaces", "x" * 65, "{uuid}", "ü", LONE])
def test_any_message_id_gives_a_good_one(intake: Intake, receive: Receive, message_id: str) -> None:
    """Other clients name their messages as they like."""
    for _ in range(2):
        receive(job_id=None, message_id=message_id)
    (made,) = intake.creator.store.list()
    assert (JobState.QUEUED, 16) == (made.state, len(made.id))


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
    ],
)
def test_a_refused_message_is_a_failed_job(
    receive: Receive, records: JobStore, changes: dict[str, Any], reason: str
) -> None:
    """Whoever sent it finds the reason under the id that it gave."""
    receive(**changes)
    found = job(records)
    assert (JobState.FAILED, reason, {}, True) == (
        found.state,
        found.reason,
        found.arguments,
        found.refused,
    )


def test_a_message_without_an_id_that_is_refused_is_written_down_too(
    receive: Receive, records: JobStore
) -> None:
    """Once, under the id of the message, however often it comes."""
    for _ in range(2):
        receive(job_id=None, arguments={})
    assert 1 == len(history(records.redis, job(records, MESSAGE).id))


@pytest.mark.parametrize("value", ["file:loop.png", "file:~nobody-of-that-name/cat.png"])
def test_a_message_with_a_path_that_leads_nowhere_is_a_failed_job(
    receive: Receive, records: JobStore, tmp_path: Path, value: str
) -> None:
    """Links in a circle and unknown users are told as any other path that cannot be read."""
    (tmp_path / "loop.png").symlink_to("loop.png")
    receive(endpoint=IMAGE, arguments={"prompt": "a", "image_url": value})
    assert "invalid_arguments" == job(records).reason


@pytest.mark.parametrize("kind", [Transient, Permanent])
def test_a_message_whose_files_cannot_be_stored_stays_one(
    receive: Receive, records: JobStore, monkeypatch: pytest.MonkeyPatch, kind: type[Failure]
) -> None:
    """Storage that is away or full is no fault of the message: it may become a job later."""

    def full(*_: object, **__: object) -> None:
        raise kind("storage_failed", "no space left")

    asked = {"endpoint": IMAGE, "arguments": {"prompt": "a", "image_url": "file:cat.png"}}
    with monkeypatch.context() as patched:
        patched.setattr(Storage, "put", full)
        with pytest.raises(kind):
            receive(**asked)
    assert [] == list(records.list())
    receive(**asked)
    assert JobState.QUEUED is job(records).state


def test_a_message_whose_file_changes_is_a_failed_job(
    intake: Intake, receive: Receive, records: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was checked is gone: its sender finds out."""
    put = Staging.put

    def change_first(staging: Staging, staged: StagedFiles) -> None:
        staging.directory.joinpath("cat.png").write_bytes(png(padding=3))  # type: ignore[union-attr]
        put(staging, staged)

    monkeypatch.setattr(Staging, "put", change_first)
    receive(endpoint=IMAGE, arguments={"prompt": "a", "image_url": "file:cat.png"})
    assert "input_changed" == job(records).reason


def test_a_redis_that_refuses_leaves_the_message(
    receive: Receive, records: JobStore, redis_server: RedisServer
) -> None:
    """A full Redis takes neither the job nor its refusal: the message is to come again."""
    with Redis.from_url(redis_server.url) as redis:
        redis.config_set("maxmemory", 1)
        try:
            for arguments in ({"prompt": "a"}, {}):
                with pytest.raises(RedisError, match="OOM"):
                    receive(arguments=arguments)
        finally:
            redis.config_set("maxmemory", 0)
    assert [] == list(records.list())


@pytest.mark.parametrize("job_id", ["A red fox in the snow", 7, ["A red fox"], ""])
def test_a_message_with_a_bad_id_makes_no_job(
    receive: Receive, records: JobStore, job_id: object
) -> None:
    """There is no id under which it could be kept; the log tells its shape, and no word."""
    with capture_logs() as lines:
        receive(job_id=job_id)
        receive(job_id=job_id, arguments={})
    assert [] == list(records.list())
    assert ["job.refused"] * 2 == [line["event"] for line in lines]
    length = len(job_id) if isinstance(job_id, str) else 0
    assert (type(job_id).__name__, length) == (lines[0]["type"], lines[0]["length"])
    assert "fox" not in str(lines)


def test_a_field_that_no_order_has_is_told(receive: Receive, records: JobStore) -> None:
    """A message that asks for more than there is becomes a FAILED job that says so."""
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
def test_whatever_a_message_holds_its_refusal_is_written_down(
    receive: Receive, records: JobStore, changes: dict[str, Any]
) -> None:
    """As a record that JSON in UTF-8 can carry, so that every command can show it."""
    receive(**changes)
    found = job(records)
    assert JobState.FAILED is found.state
    json.dumps(asdict(found), ensure_ascii=False, allow_nan=False).encode()


def test_a_message_that_breaks_a_check_is_written_down(
    receive: Receive, records: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its words reach neither record nor log; where it broke does."""

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
def test_a_refusal_is_short_however_much_is_wrong(
    receive: Receive, records: JobStore, changes: dict[str, Any]
) -> None:
    """Record and event hold a few thousand characters of what a message can bring megabytes of."""
    receive(**changes)
    found = job(records)
    assert JobState.FAILED is found.state
    assert len(found.sentence) < 20_000
    assert len(found.endpoint) <= 201


def test_a_short_refusal_tells_how_much_more_is_wrong(receive: Receive, records: JobStore) -> None:
    """Of 5,000 inputs that are none, and of 5,000 tags."""
    receive(arguments={"prompt": "a"} | {f"x{number}": 1 for number in range(5_000)})
    assert "and 4,960 more" == job(records).sentence.split("\n")[-1].strip()
    receive(options={"tags": {f"TAG {number}": "x" for number in range(5_000)}})
    assert "and 4,951 more" == job(records).sentence.split("\n")[-1].strip()


# --- the same id, corrected ---------------------------------------------------------------------


def test_a_corrected_message_takes_the_place_of_the_refused_one(
    receive: Receive, records: JobStore, wakes: list[tuple[Task, str]]
) -> None:
    """Under the same id; what was told of the first stays in the history alone."""
    clock = records.clock = ManualClock()
    receive(arguments={"promt": "a"})
    clock.forward(60)
    receive(metadata={"title": "Fox"})
    made = job(records)
    assert (JobState.QUEUED, "", "", "") == (made.state, made.step, made.reason, made.sentence)
    assert ({"prompt": "a fox"}, {"title": "Fox"}) == (made.arguments, made.metadata)
    assert [(Task.SUBMIT, "m1")] == wakes
    told = [(event["from"], event["to"]) for event in history(records.redis, "m1")]
    assert [("", "FAILED"), ("FAILED", "QUEUED")] == told
    assert (0, 1) == (records.count(JobState.FAILED), records.count(JobState.QUEUED))
    assert (clock.now, clock.now) == (made.created_at, records.redis.zscore(JOBS, "m1"))
    assert made.due_at > clock.now


def test_a_message_that_is_still_wrong_tells_the_newest_reason(
    receive: Receive, records: JobStore
) -> None:
    """Whoever mends one mistake of two reads of the other."""
    receive(arguments={"promt": "a"})
    receive(options={"priority": "high"})
    assert "invalid_options" == job(records).reason


def test_an_old_refusal_that_comes_again_harms_no_job(receive: Receive, records: JobStore) -> None:
    """Messages come late and in any order: a job that was made stays."""
    receive(arguments={})
    receive()
    receive(arguments={})
    assert JobState.QUEUED is job(records).state


@pytest.mark.parametrize("ended", [{"step": "submit"}, {"attempt": 1}, {"posted": 1}])
def test_no_other_failed_job_is_replaced(
    receive: Receive, records: JobStore, ended: dict[Any, Any]
) -> None:
    """A job that was claimed once may have been paid for."""
    receive(arguments={})
    records.redis.hset("falhook:job:m1", mapping=ended)
    receive()
    assert JobState.FAILED is job(records).state


def test_of_corrected_messages_at_once_one_makes_the_job(
    intake: Intake, records: JobStore, wakes: list[tuple[Task, str]]
) -> None:
    """Whatever comes at the same time, and in whatever order: one job, of one order."""
    rivals = [{"prompt": "a"}, {"prompt": "a"}, {"prompt": "b"}, {}]
    barrier = threading.Barrier(len(rivals))

    def rival(number: int, arguments: dict[str, Any]) -> None:
        barrier.wait(timeout=30)
        order = JobRequest(endpoint=TEXT, arguments=arguments, job_id=f"m{number}")
        intake.receive(order, None)

    with ThreadPoolExecutor(len(rivals)) as pool:
        for number in range(30):
            intake.receive(JobRequest(endpoint=TEXT, arguments={}, job_id=f"m{number}"), None)
            list(pool.map(rival, [number] * len(rivals), rivals))
            names = [event["to"] for event in history(records.redis, f"m{number}")]
            assert 1 == names.count(JobState.QUEUED)
    assert (30, 0) == (records.count(JobState.QUEUED), records.count(JobState.FAILED))
    assert {f"m{number}" for number in range(30)} == {job_id for _, job_id in wakes}
