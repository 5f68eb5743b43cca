"""What an order has to pass before anything is written or sent."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import TypeVar

from pydantic_core import PydanticCustomError

from worker.catalogue.catalogue import Catalogue
from worker.catalogue.endpoint import ENDPOINT, LONGEST_ENDPOINT, Endpoint
from worker.catalogue.errors import (
    InputProblem,
    InvalidArguments,
    RequestRejected,
    UnknownEndpoint,
    shown,
)
from worker.catalogue.options import Options
from worker.catalogue.prices import Estimate
from worker.catalogue.validation.values import as_json
from worker.jobs.job import Job
from worker.operations.request import DraftJob, InvalidJobId, InvalidRequest, JobRequest, checked_id
from worker.operations.staged_files import StagedFiles
from worker.operations.staging import Staging
from worker.text import shorten_lines
from worker.transcode.profiles import PROFILE_KEY, asked_profile
from worker.types import Json

T = TypeVar("T")
_FIELDS_TOLD = 10
# https://docs.fal.ai : owner/app, with the path of the model below it.
_ANEW = "leave out NaN, Infinity and what is no UTF-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Validator:
    """What an order has to pass; neither Redis nor fal is asked, nothing is written."""

    catalogue: Catalogue
    staging: Staging

    def validate(self, order: JobRequest) -> DraftJob:
        """A job whose inputs, local files, options and id are good.

        Raises a Refusal that tells of everything, and JobRefused for a malformed id.
        """
        _require_types(order)
        model = self.find(order.endpoint, unchecked=order.unchecked)
        refused: list[RequestRejected | InvalidJobId] = []
        nothing_said: Mapping[str, Json] = {}
        nothing: tuple[StagedFiles, dict[str, object]] = StagedFiles(arguments={}), {}
        staged, checked = _kept(refused, lambda: self._inputs(model, order), nothing)
        options = _kept(refused, lambda: Options.read(order.options), Options())
        metadata = _kept(refused, lambda: checked_metadata(order.metadata), nothing_said)
        job_id = _kept(refused, lambda: checked_id(order.job_id), "")
        if refused:
            raise refused[0] if len(refused) == 1 else InvalidRequest(refused)
        job = Job(
            id=job_id,
            endpoint=order.endpoint,
            arguments=checked,  # type: ignore[arg-type]  # only JSON gets through
            metadata=metadata,
            options=options.record(),
            estimate=_recorded(model.estimate(checked)),
            needs_file=int(model.needs_file),
        )
        return DraftJob(job=job, staged=staged, model=model)

    def _inputs(self, model: Endpoint, order: JobRequest) -> tuple[StagedFiles, dict[str, object]]:
        inputs = None if order.unchecked else model.inputs
        staged = self.staging.stage(inputs, _an_object(order))
        return staged, _checked(model, order, staged)

    def find(self, endpoint: str, *, unchecked: bool = False) -> Endpoint:
        """The model of that id; with `unchecked` an empty one where the catalogue has none."""
        try:
            return self.catalogue.find(endpoint)
        except UnknownEndpoint as unknown:
            if not unchecked:
                raise
            if len(endpoint) > LONGEST_ENDPOINT or ENDPOINT.fullmatch(endpoint) is None:
                sentence = f"{shown(endpoint)} is no endpoint id: write owner/app/…"
                raise RequestRejected("bad_endpoint", sentence) from unknown
            return Endpoint(endpoint=endpoint)


def _require_types(order: JobRequest) -> None:
    """Messages come from any codebase: they may hold anything, of any type."""
    if order.unknown:
        known = ", ".join(f.name for f in fields(JobRequest) if f.name != "unknown")
        given = ", ".join(shown(name) for name in order.unknown[:_FIELDS_TOLD])
        beyond = len(order.unknown) - _FIELDS_TOLD
        given += f" and {beyond:,} more" if beyond > 0 else ""
        raise RequestRejected("unknown_field", f"falhook.create takes no {given}; it takes {known}")
    endpoint, metadata = order.endpoint, order.metadata
    if not isinstance(endpoint, str):
        raise RequestRejected("bad_endpoint", "the endpoint must be a text such as owner/app/…")
    if not isinstance(metadata, Mapping):
        raise RequestRejected("bad_metadata", "the metadata must be an object")
    unchecked: object = order.unchecked
    # "false" is true to Python, and would have an unchecked job paid for.
    if not isinstance(unchecked, bool | None):
        wrong = shown(unchecked)
        raise RequestRejected(
            "bad_unchecked", f"unchecked {wrong} must be true or false, without quotes"
        )


def _an_object(order: JobRequest) -> Mapping[str, object]:
    given: object = order.arguments
    if isinstance(given, Mapping):
        return {str(name): value for name, value in given.items()}
    whole = InputProblem(path="arguments", value=shown(given), message="must be an object")
    raise InvalidArguments(order.endpoint, [whole])


def _checked(model: Endpoint, order: JobRequest, staged: StagedFiles) -> dict[str, object]:
    if order.unchecked:
        return _loosely(order, staged)
    return model.check(staged.arguments, problems=staged.problems)


def _kept(refused: list[RequestRejected | InvalidJobId], make: Callable[[], T], otherwise: T) -> T:
    """What `make` gives; if it refuses, that is kept, so that all is told at once."""
    try:
        return make()
    except (RequestRejected, InvalidJobId) as refusal:
        refused.append(refusal)
        return otherwise


def _loosely(order: JobRequest, staged: StagedFiles) -> dict[str, object]:
    problems = list(staged.problems)
    for name, value in staged.arguments.items():
        try:
            as_json({name: value})
        except PydanticCustomError as error:
            problems.append(InputProblem(path=shown(name), value="", message=error.message()))
    if problems:
        raise InvalidArguments(order.endpoint, problems)
    return staged.arguments


def _recorded(estimate: Estimate | None) -> dict[str, Json]:
    return {} if estimate is None else {**asdict(estimate), "usd": str(estimate.usd)}


def checked_metadata(metadata: Mapping[str, Json]) -> Mapping[str, Json]:
    """The metadata, which JSON in UTF-8 can carry. Raises Refusal, which tells of all problems."""
    problems = [
        problem for name, value in metadata.items() if (problem := _of_metadata(name, value))
    ]
    try:
        asked_profile(metadata)
    except ValueError as error:
        # The message holds the value.
        problems.append(InputProblem(path=f"metadata.{PROFILE_KEY}", value="", message=str(error)))
    if problems:
        refusal = RequestRejected("bad_metadata", shorten_lines("\n".join(map(str, problems))))
        refusal.problems = tuple(problems)
        raise refusal
    return metadata


def _of_metadata(name: object, value: object) -> InputProblem | None:
    try:
        as_json({name: value})
    except PydanticCustomError as error:
        path = shown(name).strip('"') if isinstance(name, str) else shown(name)
        told = shown(value, words=True)
        return InputProblem(
            path=f"metadata.{path}", value=told, message=error.message(), hint=_ANEW
        )
    return None
