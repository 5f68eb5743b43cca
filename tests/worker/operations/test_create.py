"""A job is checked, then written down with its options and its cost, then woken; once for an id."""

from pathlib import Path
from typing import Any

import pytest

from tests.factories.input_files import PNG, named
from webhook.contract import Task
from worker.catalogue.catalogue import Catalogue
from worker.catalogue.errors import InvalidArguments, RequestRejected, UnknownEndpoint
from worker.catalogue.option_errors import InvalidOptions
from worker.jobs.store import JobStore
from worker.operations.create import JobCreator
from worker.operations.request import InvalidJobId, JobRequest
from worker.operations.staging import Staging
from worker.operations.validation import Validator
from worker.storage import Storage
from worker.storage.layout import storage_key

TEXT = "fal-ai/kling-video/v2.1/master/text-to-video"
IMAGE = "fal-ai/kling-video/v2.1/master/image-to-video"


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """A directory of storage."""
    return Storage.open(str(tmp_path / "storage"))


@pytest.fixture
def wakes() -> list[tuple[Task, str]]:
    """The messages that were sent."""
    return []


@pytest.fixture
def creator(
    records: JobStore, storage: Storage, tmp_path: Path, wakes: list[tuple[Task, str]]
) -> JobCreator:
    """A creator whose files lie in a directory of the test."""
    (tmp_path / "cat.png").write_bytes(PNG)
    staging = Staging(storage=lambda: storage, directory=tmp_path)
    validator = Validator(catalogue=Catalogue.load(), staging=staging)
    return JobCreator(
        store=records, validator=validator, wake=lambda task, job: wakes.append((task, job))
    )


def order(endpoint: Any = TEXT, **changes: Any) -> JobRequest:
    """An order; by default a good one."""
    given = {"arguments": {"prompt": "a fox", "duration": 10}} | changes
    return JobRequest(endpoint=endpoint, **given)


def test_a_job_is_on_record_with_its_options_and_its_cost(
    creator: JobCreator, records: JobStore, wakes: list[tuple[Task, str]]
) -> None:
    """What was asked, what it should cost with the source of that figure, and one wake."""
    made = creator.create(order(options={"priority": "low"}, metadata={"title": "Fox"}))
    job = records.get(made.id)
    assert job is not None
    assert {"prompt": "a fox", "duration": "10"} == job.arguments
    assert {"priority": "low"} == job.options
    assert ("2.80", 10, True) == (
        job.estimate["usd"],
        job.estimate["seconds"],
        bool(job.estimate["source"]),
    )
    assert [(Task.SUBMIT, made.id)] == wakes


def test_the_same_id_is_the_same_job(creator: JobCreator, records: JobStore) -> None:
    """Again it changes nothing; with other contents it is refused."""
    first = creator.create(order(job_id="a1"))
    assert first.created_at == creator.create(order(job_id="a1")).created_at
    with pytest.raises(InvalidJobId, match="a1 belongs to another job"):
        creator.create(order(job_id="a1", arguments={"prompt": "a cat"}))
    assert 1 == len(records.list())


def test_the_same_job_may_be_spelt_otherwise(creator: JobCreator, records: JobStore) -> None:
    """A sender that skips the checks the second time, or writes a number as text, asks the same."""
    for duration, unchecked in [(10, False), ("10", True), (10.0, True)]:
        creator.create(
            order(
                job_id="a1",
                arguments={"prompt": "a", "duration": duration},
                unchecked=unchecked,
            )
        )
    assert 1 == len(records.list())


def test_files_lie_in_storage_before_the_job_is_woken(
    creator: JobCreator, records: JobStore, storage: Storage
) -> None:
    """A worker that takes the job at once finds its inputs."""
    found: list[bytes | None] = []
    seen = JobCreator(
        store=records,
        validator=creator.validator,
        wake=lambda _task, _job: found.append(storage.read(storage_key(named(PNG)))),
    )
    job = seen.create(order(IMAGE, arguments={"prompt": "a", "image_url": "file:cat.png"}))
    assert f"upload://{named(PNG)}" == job.arguments["image_url"]
    assert [PNG] == found


def _deep() -> object:
    value: object = 1
    for _ in range(5000):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        (order("acme/x"), UnknownEndpoint),
        (order(arguments={"promt": "a"}), InvalidArguments),
        (order(arguments=[]), InvalidArguments),
        (order(IMAGE, arguments={"prompt": "a", "image_url": "file:no.png"}), InvalidArguments),
        (order(options={"priority": "high"}), InvalidOptions),
        (order(job_id="no spaces"), InvalidJobId),
        (order("acme", unchecked=True), RequestRejected),
        (order("acme/x?a=b", unchecked=True), RequestRejected),
        (order("acme/x", unchecked=True, arguments={"a": float("nan")}), InvalidArguments),
        (order("acme/x", unchecked=True, arguments={"a": "\ud800"}), InvalidArguments),
        (order(["a/b"]), RequestRejected),
        (order(metadata=[1]), RequestRejected),
        (order(metadata={"title": "\ud83d"}), RequestRejected),
        (order(metadata={"\ud83d": "Fox"}), RequestRejected),
        (order(metadata={"deep": [{"a": float("nan")}]}), RequestRejected),
        (order(metadata={"a": _deep()}), RequestRejected),
        (order("/".join(["a" * 100] * 3), unchecked=True), RequestRejected),
        (order(job_id=7), InvalidJobId),
        (order("acme/x", unchecked=True, arguments={"a": _deep()}), InvalidArguments),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_is_refused_leaves_nothing(
    creator: JobCreator,
    records: JobStore,
    storage: Storage,
    asked: JobRequest,
    refusal: type[Exception],
) -> None:
    """No record, no file, no wake."""
    with pytest.raises(refusal):
        creator.create(asked)
    assert ([], []) == (list(records.list()), list(storage.list("uploads")))


def test_all_that_is_wrong_is_refused_together(creator: JobCreator) -> None:
    """Inputs, options, metadata and the id are told at once, and each as data."""
    asked = order(
        arguments={"promt": "a"},
        options={"priority": "high"},
        metadata={"falhook.profile": "8k"},
        job_id="no spaces",
    )
    with pytest.raises(RequestRejected) as caught:
        creator.create(asked)
    assert "invalid_arguments" == caught.value.reason
    told = str(caught.value)
    words = ["did you mean prompt?", 'priority "high"', "'8k'", "'no spaces'"]
    assert [] == [word for word in words if word not in told]
    paths = ["promt", "prompt", "priority", "metadata.falhook.profile"]
    assert paths == [problem.path for problem in caught.value.problems]


def test_metadata_that_json_cannot_carry_are_told_by_name(creator: JobCreator) -> None:
    """All of them, with the cure; words of a person by their length alone."""
    given = {"title": "a fox \ud83d", "number": float("nan"), "good": {"a": [1, None]}}
    with pytest.raises(RequestRejected) as caught:
        creator.create(order(metadata=given))
    assert "bad_metadata" == caught.value.reason
    told = [(problem.path, problem.value) for problem in caught.value.problems]
    assert [("metadata.title", "(7 characters)"), ("metadata.number", "NaN")] == told
    assert "remove NaN, Infinity and text that is not UTF-8" in str(caught.value)


def test_unchecked_takes_any_endpoint_and_says_nothing_of_its_cost(creator: JobCreator) -> None:
    """The arguments go as they are; only JSON has to be able to carry them."""
    given = {"prompt": "a", "duration": 7, "nested": {"x": [1, None]}}
    job = creator.create(order("acme/dolly/x", arguments=given, unchecked=True))
    assert (given, {}) == (job.arguments, job.estimate)


@pytest.mark.parametrize(
    ("asked", "needs_file"),
    [
        (order(), 1),
        (order(unchecked=True), 1),
        (order("fal-ai/kling-video/create-voice", arguments={"voice_url": "https://a.b/c.mp3"}), 0),
        (order("acme/dolly/x", arguments={}, unchecked=True), 0),
    ],
)
def test_a_job_knows_whether_a_result_has_to_hold_a_file(
    creator: JobCreator, records: JobStore, asked: JobRequest, needs_file: int
) -> None:
    """The catalogue says so; of an endpoint that it does not know, any result will do."""
    job = records.get(creator.create(asked).id)
    assert job is not None
    assert needs_file == job.needs_file


def test_unchecked_overrules_the_catalogue_but_keeps_its_price(creator: JobCreator) -> None:
    """For an endpoint that changed before the catalogue did."""
    job = creator.create(order(arguments={"prompt": "a", "zoom": 3}, unchecked=True))
    assert (3, "1.40") == (job.arguments["zoom"], job.estimate["usd"])


def test_an_unchecked_of_null_checks(creator: JobCreator) -> None:
    """As other fields of a message, it may be null, which is no leave to skip a check."""
    with pytest.raises(InvalidArguments):
        creator.create(order(arguments={"prompt": "a", "duration": 99}, unchecked=None))
