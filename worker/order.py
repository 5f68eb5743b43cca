"""An order of a job, and what it has to pass before anything is written or sent."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields

from pydantic_core import PydanticCustomError

from webhook.contract import JOB_ID
from worker.catalogue.errors import UnknownEndpoint, shown
from worker.catalogue.strings import as_json
from worker.jobs import Job, Json, new_job_id
from worker.models import Catalogue, Estimate, InvalidArguments, Model, Problem, Refusal
from worker.options import InvalidOptions, Options
from worker.profiles import PROFILE_KEY, asked_profile
from worker.staging import Staged, Staging

# https://docs.fal.ai : owner/app, with the path of the model below it.
ENDPOINT = re.compile(r"[A-Za-z0-9][\w.-]{0,99}(/[A-Za-z0-9][\w.-]{0,99}){1,7}", re.ASCII)


class JobRefused(Exception):
    """There can be no job under this id; the message is a sentence with the cure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a job is asked to be; nothing of it is checked yet.

    `unchecked` takes any endpoint of fal and any inputs. `unknown` are fields that the sender
    gave and no order has.
    """

    endpoint: str
    arguments: Mapping[str, object]
    metadata: Mapping[str, Json] = field(default_factory=dict)
    job_id: str | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    unchecked: bool = False
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A job that was checked and not written down yet, and the local files it needs."""

    job: Job
    staged: Staged
    model: Model

    @property
    def estimate(self) -> Estimate | None:
        """What the job should cost, where that is known beforehand."""
        return self.model.estimate(self.job.arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """What an order has to pass; neither Redis nor fal is asked, nothing is written."""

    catalogue: Catalogue
    staging: Staging

    def draft(self, order: Order) -> Draft:
        """A job whose inputs, local files, options and id are good.

        Raises a Refusal that tells of everything, and JobRefused for a malformed id.
        """
        _require_types(order)
        model = self.find(order.endpoint, unchecked=order.unchecked)
        refused: list[Refusal] = []
        staged, checked, options = Staged(arguments={}), {}, Options()
        try:
            staged = self.staging.stage(
                None if order.unchecked else model.inputs, _an_object(order)
            )
            checked = _checked(model, order, staged)
        except InvalidArguments as invalid:
            refused.append(invalid)
        try:
            options = Options.read(order.options)
        except InvalidOptions as invalid:
            refused.append(invalid)
        if refused:
            raise _together(refused)
        job = Job(
            id=checked_id(order.job_id),
            endpoint=order.endpoint,
            arguments=checked,  # type: ignore[arg-type]  # only JSON gets through
            metadata=_checked_metadata(order.metadata),
            options=options.record(),
            estimate=_recorded(model.estimate(checked)),
            needs_file=int(model.needs_file),
        )
        return Draft(job=job, staged=staged, model=model)

    def find(self, endpoint: str, *, unchecked: bool = False) -> Model:
        """The model of that id; with `unchecked` an empty one where the catalogue has none."""
        try:
            return self.catalogue.find(endpoint)
        except UnknownEndpoint as unknown:
            if not unchecked:
                raise
            if ENDPOINT.fullmatch(endpoint) is None:
                sentence = f"{shown(endpoint)} is no endpoint id: write owner/app/…"
                raise Refusal("bad_endpoint", sentence) from unknown
            return Model(endpoint=endpoint)


def _require_types(order: Order) -> None:
    """Messages come from any codebase: they may hold anything, of any type."""
    if order.unknown:
        known = ", ".join(f.name for f in fields(Order) if f.name != "unknown")
        given = ", ".join(shown(name) for name in order.unknown)
        raise Refusal("unknown_field", f"falhook.create takes no {given}; it takes {known}")
    endpoint, metadata = order.endpoint, order.metadata
    if not isinstance(endpoint, str):
        raise Refusal("bad_endpoint", "the endpoint must be a text such as owner/app/…")
    if not isinstance(metadata, Mapping):
        raise Refusal("bad_metadata", "the metadata must be an object")
    unchecked: object = order.unchecked
    # "false" is true to Python, and would have an unchecked job paid for.
    if not isinstance(unchecked, bool | None):
        wrong = shown(unchecked)
        raise Refusal("bad_unchecked", f"unchecked {wrong} must be true or false, without quotes")


def _an_object(order: Order) -> Mapping[str, object]:
    given: object = order.arguments
    if isinstance(given, Mapping):
        return {str(name): value for name, value in given.items()}
    whole = Problem(path="arguments", value=shown(given), message="must be an object")
    raise InvalidArguments(order.endpoint, [whole])


def _checked(model: Model, order: Order, staged: Staged) -> dict[str, object]:
    if order.unchecked:
        return _loosely(order, staged)
    return model.check(staged.arguments, problems=staged.problems)


def _together(refused: list[Refusal]) -> Refusal:
    """One refusal that tells of all; the first gives the reason."""
    if len(refused) == 1:
        return refused[0]
    return Refusal(refused[0].reason, "\n".join(one.sentence for one in refused))


def _loosely(order: Order, staged: Staged) -> dict[str, object]:
    problems = list(staged.problems)
    for name, value in staged.arguments.items():
        try:
            as_json({name: value})
        except PydanticCustomError as error:
            problems.append(Problem(path=shown(name), value="", message=error.message()))
    if problems:
        raise InvalidArguments(order.endpoint, problems)
    return staged.arguments


def _recorded(estimate: Estimate | None) -> dict[str, Json]:
    return {} if estimate is None else {**asdict(estimate), "usd": str(estimate.usd)}


def _checked_metadata(metadata: Mapping[str, Json]) -> Mapping[str, Json]:
    try:
        asked_profile(metadata)
    except ValueError as error:
        raise Refusal("bad_metadata", f"metadata {PROFILE_KEY} {error}") from None
    return metadata


def checked_id(job_id: str | None) -> str:
    """That id, or a fresh one for None. Raises JobRefused for a malformed one."""
    if job_id is None:
        return new_job_id()
    if not isinstance(job_id, str) or JOB_ID.fullmatch(job_id) is None:
        raise JobRefused(
            f"job id {str(job_id)[:80]!r} is malformed: use 1 to 64 letters, digits, - and _, "
            "beginning with a letter or digit"
        )
    return job_id
