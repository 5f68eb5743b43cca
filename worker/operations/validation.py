"""Validates a request before anything is stored or sent."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
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
from worker.catalogue.validation.sync_mode import sync_mode_problems
from worker.catalogue.validation.values import as_json
from worker.jobs.job import Job
from worker.jobs.tenant import InvalidTenant, checked_tenant
from worker.notifications.target import InvalidTarget, TargetRules
from worker.operations.request import DraftJob, InvalidJobId, InvalidRequest, JobRequest, checked_id
from worker.operations.staged_files import StagedFiles
from worker.operations.staging import Staging
from worker.text import shorten, shorten_lines
from worker.transcode.loudness_target import LOUDNESS_KEY, requested_loudness
from worker.transcode.poster import POSTER_KEY, requested_poster
from worker.transcode.profiles import PROFILE_KEY, requested_profile
from worker.types import Json

T = TypeVar("T")
_MAX_FIELDS = 10
# Metadata that falhook itself reads.
_OURS = "falhook."
# What a job can request in its metadata, and how that is read.
_REQUESTS = (
    (PROFILE_KEY, requested_profile),
    (POSTER_KEY, requested_poster),
    (LOUDNESS_KEY, requested_loudness),
)
_LONGEST_NAME = 80
# Fields of a request that a message does not have.
_INTERNAL = frozenset({"fingerprint", "unknown"})
_ESTIMATE = tuple(f.name for f in fields(Estimate))
_JSON_HINT = "remove NaN, Infinity and text that is not UTF-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Validator:
    """Validates requests; it calls neither Redis nor fal, and writes nothing.

    It reads the storage if `staging` checks uploads.
    """

    catalogue: Catalogue
    staging: Staging
    # To which addresses messages may be sent.
    targets: TargetRules = field(default_factory=TargetRules)

    def validate(self, request: JobRequest) -> DraftJob:
        """Return a draft whose inputs, local files, options, metadata, id and tenant are valid.

        Raises RequestRejected with everything that is wrong, or InvalidJobId if only the id is,
        and what `Staging.stage` raises.
        """
        # Before all else: a message that is rejected is recorded for its tenant.
        tenant = _checked_tenant(request.tenant)
        _require_types(request)
        model = self.find(request.endpoint, unchecked=request.unchecked)
        rejections: list[RequestRejected | InvalidJobId] = []
        no_metadata: Mapping[str, Json] = {}
        no_inputs: tuple[StagedFiles, dict[str, object]] = StagedFiles(arguments={}), {}
        staged, inputs = _collect(rejections, lambda: self._inputs(model, request), no_inputs)
        options = _collect(rejections, lambda: Options.read(request.options), Options())
        metadata = _collect(rejections, lambda: checked_metadata(request.metadata), no_metadata)
        job_id = _collect(rejections, lambda: checked_id(request.job_id), "")
        notify = _collect(rejections, lambda: self._notify(request.notify), "")
        if rejections:
            raise rejections[0] if len(rejections) == 1 else InvalidRequest(rejections)
        job = Job(
            id=job_id,
            tenant=tenant,
            fingerprint=request.fingerprint,
            endpoint=request.endpoint,
            arguments=inputs,  # type: ignore[arg-type]  # validated as JSON
            metadata=metadata,
            options=options.record(),
            estimate=_recorded(model.estimate(inputs)),
            needs_file=int(model.needs_file),
            notify=notify,
            traceparent=request.traceparent or "",
        )
        return DraftJob(job=job, staged=staged, model=model)

    def _inputs(
        self, model: Endpoint, request: JobRequest
    ) -> tuple[StagedFiles, dict[str, object]]:
        inputs = None if request.unchecked else model.inputs
        staged = self.staging.stage(inputs, _arguments(request))
        if problems := sync_mode_problems(staged.arguments):
            staged = replace(staged, problems=[*staged.problems, *problems])
        if request.unchecked:
            return staged, _json_only(request, staged)
        return staged, model.check(staged.arguments, problems=staged.problems)

    def _notify(self, address: object) -> str:
        """Return the address that is told of the job; "" for none. Raises RequestRejected."""
        if address is None:
            return ""
        try:
            self.targets.check(address if isinstance(address, str) else "")
        except InvalidTarget as invalid:
            # Not the address: it may hold a token.
            raise RequestRejected("bad_notify", f"notify: {invalid}") from None
        return str(address)

    def find(self, endpoint: str, *, unchecked: bool = False) -> Endpoint:
        """Return the endpoint; with `unchecked`, an empty one if the catalogue does not list it.

        Raises RequestRejected.
        """
        try:
            return self.catalogue.find(endpoint)
        except UnknownEndpoint as unknown:
            if not unchecked:
                raise
            # https://docs.fal.ai : owner/app, optionally followed by a path.
            if len(endpoint) > LONGEST_ENDPOINT or ENDPOINT.fullmatch(endpoint) is None:
                sentence = f"{shown(endpoint)} is not an endpoint id: write owner/app/…"
                raise RequestRejected("bad_endpoint", sentence) from unknown
            return Endpoint(endpoint=endpoint)


def _require_types(request: JobRequest) -> None:
    """Raise RequestRejected for a field of a wrong type; messages may have anything in them."""
    if request.unknown:
        known = ", ".join(f.name for f in fields(JobRequest) if f.name not in _INTERNAL)
        unknown = ", ".join(shown(name) for name in request.unknown[:_MAX_FIELDS])
        beyond = len(request.unknown) - _MAX_FIELDS
        unknown += f" and {beyond:,} more" if beyond > 0 else ""
        sentence = f"falhook.create does not accept {unknown}; it accepts {known}"
        raise RequestRejected("unknown_field", sentence)
    endpoint, metadata = request.endpoint, request.metadata
    if not isinstance(endpoint, str):
        raise RequestRejected("bad_endpoint", "the endpoint must be a string such as owner/app/…")
    if not isinstance(metadata, Mapping):
        raise RequestRejected("bad_metadata", "the metadata must be an object")
    unchecked: object = request.unchecked
    # Python treats "false" as true, and an unvalidated job would be paid for.
    if not isinstance(unchecked, bool | None):
        value = shown(unchecked)
        raise RequestRejected(
            "bad_unchecked", f"unchecked {value} must be true or false, without quotes"
        )


def _arguments(request: JobRequest) -> Mapping[str, object]:
    arguments: object = request.arguments
    if isinstance(arguments, Mapping):
        return {str(name): value for name, value in arguments.items()}
    problem = InputProblem(path="arguments", value=shown(arguments), message="must be an object")
    raise InvalidArguments(request.endpoint, [problem])


def _collect(
    rejections: list[RequestRejected | InvalidJobId], validate: Callable[[], T], default: T
) -> T:
    """Return what `validate` returns; if it raises, add that to `rejections`."""
    try:
        return validate()
    except (RequestRejected, InvalidJobId) as rejection:
        rejections.append(rejection)
        return default


def _checked_tenant(name: object) -> str:
    """Return the name of a tenant. Raises RequestRejected for an unusable one."""
    try:
        return checked_tenant(name)
    except InvalidTenant as invalid:
        raise RequestRejected(invalid.reason, str(invalid)) from None


def _json_only(request: JobRequest, staged: StagedFiles) -> dict[str, object]:
    problems = list(staged.problems)
    for name, value in staged.arguments.items():
        try:
            as_json({name: value})
        except PydanticCustomError as error:
            problems.append(InputProblem(path=shown(name), value="", message=error.message()))
    if problems:
        raise InvalidArguments(request.endpoint, problems)
    return staged.arguments


def _recorded(estimate: Estimate | None) -> dict[str, Json]:
    if estimate is None:
        return {}
    # dataclasses.asdict copies deeply: a fifth of the time of a validation.
    return {name: getattr(estimate, name) for name in _ESTIMATE} | {"usd": str(estimate.usd)}


def checked_metadata(metadata: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return the metadata. Raises RequestRejected with every problem."""
    problems = [
        problem for name, value in metadata.items() if (problem := _entry_problem(name, value))
    ]
    for key, requested in _REQUESTS:
        try:
            requested(metadata)
        except ValueError as error:
            # The message has the value.
            problems.append(InputProblem(path=f"metadata.{key}", value="", message=str(error)))
    if problems:
        rejection = RequestRejected("bad_metadata", shorten_lines("\n".join(map(str, problems))))
        rejection.problems = tuple(problems)
        raise rejection
    return metadata


def _entry_problem(name: object, value: object) -> InputProblem | None:
    known = [key for key, _ in _REQUESTS]
    if isinstance(name, str) and name.casefold().startswith(_OURS) and name not in known:
        # A mistyped profile would be noticed only after the clip is paid for.
        return InputProblem(
            path=f"metadata.{shorten(name, _LONGEST_NAME)}",
            value="",
            message=f"names beginning with {_OURS} have a meaning, and this one is unknown",
            hint=f"use {' or '.join(known)}, or a name of your own",
        )
    try:
        as_json({name: value})
    except PydanticCustomError as error:
        path = shown(name).strip('"') if isinstance(name, str) else shown(name)
        text = shown(value, words=True)
        return InputProblem(
            path=f"metadata.{path}", value=text, message=error.message(), hint=_JSON_HINT
        )
    return None
