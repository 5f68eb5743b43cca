"""A job is validated, stored with its options and cost, then woken; once for each id."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.factories.input_files import PNG, named
from tests.factories.listed import jobs_of
from webhook.contract import Task
from webhook.redis import round_trip
from webhook.redis.replicas import Argument
from worker.catalogue.catalogue import Catalogue
from worker.catalogue.errors import InvalidArguments, RequestRejected, UnknownEndpoint
from worker.catalogue.option_errors import InvalidOptions
from worker.jobs.store import JobStore
from worker.operations.create import FingerprintMismatch, JobCreator
from worker.operations.create_message import Intake
from worker.operations.request import InvalidJobId, JobRequest
from worker.operations.staging import Staging
from worker.operations.validation import Validator
from worker.storage import Storage
from worker.storage.layout import storage_key

TEXT = "fal-ai/kling-video/v2.1/master/text-to-video"
IMAGE = "fal-ai/kling-video/v2.1/master/image-to-video"


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """A storage in a directory."""
    return Storage.open(str(tmp_path / "storage"))


@pytest.fixture
def wakes() -> list[tuple[Task, str]]:
    """The wakes that were sent."""
    return []


@pytest.fixture
def creator(
    records: JobStore, storage: Storage, tmp_path: Path, wakes: list[tuple[Task, str]]
) -> JobCreator:
    """A creator whose files are in the test's directory."""
    (tmp_path / "cat.png").write_bytes(PNG)
    staging = Staging(storage=lambda: storage, directory=tmp_path)
    validator = Validator(catalogue=Catalogue.load(), staging=staging)
    return JobCreator(
        store=records, validator=validator, wake=lambda task, job: wakes.append((task, job))
    )


def request(endpoint: Any = TEXT, **changes: Any) -> JobRequest:
    """Return a request; by default a valid one."""
    fields = {"arguments": {"prompt": "a fox", "duration": 10}} | changes
    return JobRequest(endpoint=endpoint, **fields)


def test_a_job_is_stored_with_its_options_and_cost(
    creator: JobCreator, records: JobStore, wakes: list[tuple[Task, str]]
) -> None:
    """The record has the inputs, the options and the estimate with its source; one wake is sent."""
    created = creator.create(request(options={"priority": "low"}, metadata={"title": "Fox"}))
    job = records.get(created.id)
    assert job is not None
    assert {"prompt": "a fox", "duration": "10"} == job.arguments
    assert {"priority": "low"} == job.options
    assert ("2.80", 10, True) == (
        job.estimate["usd"],
        job.estimate["seconds"],
        bool(job.estimate["source"]),
    )
    assert [(Task.SUBMIT, created.id)] == wakes


def test_the_same_id_is_the_same_job(creator: JobCreator, records: JobStore) -> None:
    """A repeated request changes nothing; one with other contents is rejected."""
    first = creator.create(request(job_id="a1"))
    assert first.created_at == creator.create(request(job_id="a1")).created_at
    with pytest.raises(InvalidJobId, match="a1 belongs to another job"):
        creator.create(request(job_id="a1", arguments={"prompt": "a cat"}))
    assert 1 == len(jobs_of(records))


def test_the_id_of_another_tenant_is_taken(creator: JobCreator, records: JobStore) -> None:
    """The error says nothing of the job that has it; the job of the same tenant is returned."""
    acme = request(job_id="a1", tenant="acme")
    created = creator.create(acme)
    assert "acme" == created.tenant
    for tenant in ("default", "bolt"):
        with pytest.raises(InvalidJobId) as caught:
            creator.create(replace(acme, tenant=tenant))
        assert "job id a1 is taken; use another id, or leave it out" == str(caught.value)
    assert created.created_at == creator.create(acme).created_at
    assert 1 == len(jobs_of(records))


def test_a_rejection_of_another_tenant_keeps_its_id(creator: JobCreator, records: JobStore) -> None:
    """Only its own tenant can correct it."""
    intake = Intake(creator=creator)
    intake.receive(request(job_id="a1", tenant="acme", arguments={}), None)
    assert ("acme", True) == ((job := jobs_of(records)[0]).tenant, job.refused)
    with pytest.raises(InvalidJobId, match="a1 is taken"):
        creator.create(request(job_id="a1"))
    assert "acme" == creator.create(request(job_id="a1", tenant="acme")).tenant


def printed(**parts: str) -> str:
    """Return a fingerprint."""
    return json.dumps(parts)


def test_fingerprints_decide_which_request_is_the_same(creator: JobCreator) -> None:
    """With one on both sides the parts that differ are named; else the contents are compared."""
    first = request(job_id="a1", fingerprint=printed(endpoint="0", prompt="1", metadata="2"))
    creator.create(first)
    again = replace(first, arguments={"prompt": "a fox"})
    assert "a1" == creator.create(again).id
    other = printed(endpoint="0", prompt="9", options="3", metadata="2")
    with pytest.raises(FingerprintMismatch, match="differs in options, prompt;") as caught:
        creator.create(replace(first, fingerprint=other))
    assert ("options", "prompt") == caught.value.fields
    assert "a1" == creator.create(replace(first, fingerprint="")).id
    with pytest.raises(InvalidJobId, match="a1 belongs to another job of"):
        creator.create(replace(again, fingerprint=""))


def test_a_new_job_is_returned_as_it_is_stored(creator: JobCreator, records: JobStore) -> None:
    """Its answer has every field of the record, its history too."""
    draft = creator.validator.validate(request(job_id="a1", tenant="acme"))
    created = creator.add(draft)
    assert (True, records.get("a1")) == (created.new, created.job)
    assert (False, records.get("a1")) == ((again := creator.add(draft)).new, again.job)


def test_a_creation_costs_two_round_trips(
    creator: JobCreator, records: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One to look for what is there, one to write the record; of a stored job one and one."""
    draft = creator.validator.validate(request(job_id="a1"))
    creator.add(creator.validator.validate(request(job_id="warm")))
    trips: list[list[str]] = []
    sent = round_trip._round_trip

    def counted(connection: object, commands: Sequence[Sequence[Argument]]) -> list[object]:
        trips.append([str(command[0]) for command in commands])
        return sent(connection, commands)

    monkeypatch.setattr(round_trip, "_round_trip", counted)
    monkeypatch.setattr(records.redis, "execute_command", None)
    looked_up, written = ["HGETALL", "EXISTS", "EXISTS"], ["EVAL", "ROLE"]
    creator.add(draft)
    creator.add(draft)
    assert [looked_up, written] * 2 == trips


def test_the_same_job_may_be_spelt_otherwise(creator: JobCreator, records: JobStore) -> None:
    """Requests that differ in validation or in the notation of a number are the same job."""
    for duration, unchecked in [(10, False), ("10", True), (10.0, True)]:
        creator.create(
            request(
                job_id="a1",
                arguments={"prompt": "a", "duration": duration},
                unchecked=unchecked,
            )
        )
    assert 1 == len(jobs_of(records))


def test_files_are_stored_before_the_job_is_woken(
    creator: JobCreator, records: JobStore, storage: Storage
) -> None:
    """A worker that takes the job immediately finds its inputs."""
    stored: list[bytes | None] = []
    observed = JobCreator(
        store=records,
        validator=creator.validator,
        wake=lambda _task, _job: stored.append(storage.read(storage_key(named(PNG)))),
    )
    job = observed.create(request(IMAGE, arguments={"prompt": "a", "image_url": "file:cat.png"}))
    assert f"upload://{named(PNG)}" == job.arguments["image_url"]
    assert [PNG] == stored


def _deep() -> object:
    value: object = 1
    for _ in range(5000):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("rejected", "error"),
    [
        (request("acme/x"), UnknownEndpoint),
        (request(arguments={"promt": "a"}), InvalidArguments),
        (request(arguments=[]), InvalidArguments),
        (request(IMAGE, arguments={"prompt": "a", "image_url": "file:no.png"}), InvalidArguments),
        (request(options={"priority": "high"}), InvalidOptions),
        (request(job_id="no spaces"), InvalidJobId),
        (request("acme", unchecked=True), RequestRejected),
        (request("acme/x?a=b", unchecked=True), RequestRejected),
        (request("acme/x", unchecked=True, arguments={"a": float("nan")}), InvalidArguments),
        (request("acme/x", unchecked=True, arguments={"a": "\ud800"}), InvalidArguments),
        (request(["a/b"]), RequestRejected),
        (request(metadata=[1]), RequestRejected),
        (request(metadata={"title": "\ud83d"}), RequestRejected),
        (request(metadata={"\ud83d": "Fox"}), RequestRejected),
        (request(metadata={"deep": [{"a": float("nan")}]}), RequestRejected),
        (request(metadata={"a": _deep()}), RequestRejected),
        (request("/".join(["a" * 100] * 3), unchecked=True), RequestRejected),
        (request(job_id=7), InvalidJobId),
        (request(tenant="Acme"), RequestRejected),
        (request(tenant=7), RequestRejected),
        (request("acme/x", unchecked=True, arguments={"a": _deep()}), InvalidArguments),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_rejected_request_leaves_nothing(
    creator: JobCreator,
    records: JobStore,
    storage: Storage,
    rejected: JobRequest,
    error: type[Exception],
) -> None:
    """A rejection stores no record and no file."""
    with pytest.raises(error):
        creator.create(rejected)
    assert ([], []) == (list(jobs_of(records)), list(storage.list("uploads")))


def test_everything_wrong_is_reported_together(creator: JobCreator) -> None:
    """One rejection has the problems of inputs, options, metadata and the id."""
    invalid = request(
        arguments={"promt": "a"},
        options={"priority": "high"},
        metadata={"falhook.profile": "8k"},
        job_id="no spaces",
    )
    with pytest.raises(RequestRejected) as caught:
        creator.create(invalid)
    assert "invalid_arguments" == caught.value.reason
    sentence = str(caught.value)
    words = ["did you mean prompt?", 'priority "high"', "'8k'", "'no spaces'"]
    assert [] == [word for word in words if word not in sentence]
    paths = ["promt", "prompt", "priority", "metadata.falhook.profile"]
    assert paths == [problem.path for problem in caught.value.problems]


def test_metadata_that_json_cannot_carry_is_named(creator: JobCreator) -> None:
    """Every invalid entry is named with the correction; texts are shown by their length."""
    metadata = {"title": "a fox \ud83d", "number": float("nan"), "good": {"a": [1, None]}}
    with pytest.raises(RequestRejected) as caught:
        creator.create(request(metadata=metadata))
    assert "bad_metadata" == caught.value.reason
    values = [(problem.path, problem.value) for problem in caught.value.problems]
    assert [("metadata.title", "(7 characters)"), ("metadata.number", "NaN")] == values
    assert "remove NaN, Infinity and text that is not UTF-8" in str(caught.value)


def test_unchecked_accepts_any_endpoint_without_an_estimate(creator: JobCreator) -> None:
    """The arguments are unchanged; JSON only has to be able to carry them."""
    arguments = {"prompt": "a", "duration": 7, "nested": {"x": [1, None]}}
    job = creator.create(request("acme/dolly/x", arguments=arguments, unchecked=True))
    assert (arguments, {}) == (job.arguments, job.estimate)


@pytest.mark.parametrize(
    ("job_request", "needs_file"),
    [
        (request(), 1),
        (request(unchecked=True), 1),
        (
            request(
                "fal-ai/kling-video/create-voice", arguments={"voice_url": "https://a.b/c.mp3"}
            ),
            0,
        ),
        (request("acme/dolly/x", arguments={}, unchecked=True), 0),
    ],
)
def test_a_job_knows_whether_a_result_has_to_hold_a_file(
    creator: JobCreator, records: JobStore, job_request: JobRequest, needs_file: int
) -> None:
    """The catalogue decides; an unknown endpoint may return any result."""
    job = records.get(creator.create(job_request).id)
    assert job is not None
    assert needs_file == job.needs_file


def test_unchecked_overrules_the_catalogue_but_keeps_its_price(creator: JobCreator) -> None:
    """An endpoint may change before the catalogue does; its price still applies."""
    job = creator.create(request(arguments={"prompt": "a", "zoom": 3}, unchecked=True))
    assert (3, "1.40") == (job.arguments["zoom"], job.estimate["usd"])


def test_unchecked_null_means_validated(creator: JobCreator) -> None:
    """A message may set `unchecked` to null, which does not skip validation."""
    with pytest.raises(InvalidArguments):
        creator.create(request(arguments={"prompt": "a", "duration": 99}, unchecked=None))


@pytest.mark.parametrize("unchecked", [False, True])
@pytest.mark.parametrize("value", [True, "true", " True ", 1, "1", "yes"])
def test_sync_mode_is_refused_before_it_is_paid_for(
    creator: JobCreator, value: object, unchecked: bool
) -> None:
    """fal would put the media into its callback, and keep no copy."""
    endpoint = "acme/images" if unchecked else "fal-ai/kling-image/v3/text-to-image"
    arguments: dict[str, object] = {"prompt": "a fox", "sync_mode": value}
    with pytest.raises(InvalidArguments, match="sync_mode"):
        creator.create(request(endpoint, arguments=arguments, unchecked=unchecked))
    if unchecked:
        nested: dict[str, object] = {"steps": [{"sync_mode": value}]}
        with pytest.raises(InvalidArguments, match=r"steps\[0\].sync_mode"):
            creator.create(request(endpoint, arguments=nested, unchecked=True))
    with pytest.raises(InvalidOptions):
        creator.create(request(options={"sync_mode": value}))
    off = request(endpoint, arguments={"prompt": "a fox", "sync_mode": False}, unchecked=unchecked)
    assert {"prompt": "a fox", "sync_mode": False} == creator.create(off).arguments


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((), {}),
        (("title", "absent"), {"title": "Fox"}),
        (("*",), {"title": "Fox", "customer": "Ann"}),
    ],
)
def test_events_carry_the_metadata_that_the_setting_names(
    creator: JobCreator, names: tuple[str, ...], expected: dict[str, str]
) -> None:
    """By default none; `*` stands for all."""
    chosen = replace(creator, event_metadata=names)
    job = chosen.create(request(metadata={"title": "Fox", "customer": "Ann"}))
    assert expected == job.event_metadata


@pytest.mark.parametrize("name", ["falhook.profil", "falhook.", "Falhook.profile", "falhook.x\x1b"])
@pytest.mark.parametrize("unchecked", [False, True])
def test_unknown_names_of_our_own_metadata_are_rejected(
    creator: JobCreator, name: str, unchecked: bool
) -> None:
    """A mistyped profile is noticed before the clip without it is paid for."""
    with pytest.raises(RequestRejected, match=r"use falhook\.profile") as caught:
        creator.create(request(metadata={name: "web"}, unchecked=unchecked))
    assert "bad_metadata" == caught.value.reason


@pytest.mark.parametrize(
    "metadata",
    [
        {"falhook.profile": "web"},
        {"falhook.poster_at": "50%"},
        {"falhook.loudness": "-14"},
        {"poster_at": "any"},
    ],
)
def test_what_a_job_can_request_in_its_metadata_is_accepted(
    creator: JobCreator, metadata: dict[str, str]
) -> None:
    """Each name that a step reads, and names without the prefix."""
    assert metadata == creator.create(request(metadata=metadata)).metadata
