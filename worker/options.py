"""What fal is asked beside the inputs: how to queue a job, what to keep, how to bill it.

Headers: https://fal.ai/docs (platform headers) and fal-client's `_headers.py`. The job's id is
always among the tags, which fal shows in its billing events.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from worker.catalogue.errors import Problem, Refusal, shown
from worker.jobs import Json
from worker.option_values import (
    JOB_TAG,
    LONGEST_JOB_TAG,
    LONGEST_TAGS,
    MOST_TAGS,
    hint,
    lifetime,
    tag_key,
    tag_value,
)

_AN_OBJECT = "must be an object"
_TYPES = {
    "model_type": _AN_OBJECT,
    "dict_type": _AN_OBJECT,
    "list_type": "must be a list",
    "string_type": "must be a text",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
}


class InvalidOptions(Refusal):
    """The options are none that fal knows; `problems` holds all that is wrong with them."""

    def __init__(self, problems: list[Problem]) -> None:
        lines = "".join(f"\n  {problem}" for problem in problems)
        super().__init__("invalid_options", f"these options cannot be passed to fal:{lines}")
        self.problems = tuple(problems)


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class AccessRule(_Form):
    """Whether one fal user may read the job's files."""

    user: Annotated[str, AfterValidator(hint)]
    decision: Literal["allow", "forbid", "hide"]


class AccessControl(_Form):
    """Who may read the job's files on fal's CDN.

    `default` is allow alone: falhook downloads them without fal's credentials.
    """

    default: Literal["allow"] = "allow"
    rules: list[AccessRule] = []


class ObjectLifecycle(_Form):
    """How long fal keeps the job's files, in seconds (None: for ever), and who may read them."""

    expiration_duration_seconds: Annotated[int | None, BeforeValidator(lifetime)] = None
    initial_acl: AccessControl | None = None


class Options(_Form):
    """The platform options of one job; what is not given is left to fal.

    `start_timeout` is in seconds, until the render begins; `runner_hint` asks for the runner of
    earlier jobs with the same hint; `no_retry` turns fal's own retries off; `store_io` False
    keeps inputs and result out of fal's 30-day history.
    """

    priority: Literal["normal", "low"] | None = None
    # https://github.com/fal-ai/fal fal_client/_headers.py: 1 second and less is refused.
    start_timeout: Annotated[float, Field(gt=1, le=86_400, allow_inf_nan=False)] | None = None
    runner_hint: Annotated[str, AfterValidator(hint)] | None = None
    no_retry: bool = False
    store_io: bool = True
    object_lifecycle: ObjectLifecycle | None = None
    tags: dict[
        Annotated[str, AfterValidator(tag_key)], Annotated[str, AfterValidator(tag_value)]
    ] = {}

    @model_validator(mode="after")
    def _tags_fit(self) -> Self:
        if len(self.tags) >= MOST_TAGS:
            raise ValueError(f"tags must be at most {MOST_TAGS - 1}, besides the job's id")
        if len(_joined(self.tags)) > LONGEST_TAGS - LONGEST_JOB_TAG:
            raise ValueError(f"tags must be at most {LONGEST_TAGS - LONGEST_JOB_TAG} bytes in all")
        return self

    @classmethod
    def read(cls, given: Mapping[str, object] | None) -> Self:
        """The options of a JSON object. Raises InvalidOptions with everything that is wrong."""
        try:
            return cls.model_validate({} if given is None else given)
        except ValidationError as invalid:
            errors = invalid.errors(include_url=False)
            raise InvalidOptions([_problem(error) for error in errors]) from None

    def record(self) -> dict[str, Json]:
        """What was given, as the job's record holds it and `read` takes it."""
        return self.model_dump(mode="json", exclude_unset=True)

    def headers(self, job_id: str) -> dict[str, str]:
        """fal's headers for the POST of this job."""
        lifecycle = self.object_lifecycle
        # https://docs.fal.ai : null keeps the files for ever, so that it has to be sent too.
        stored = lifecycle and json.dumps(lifecycle.model_dump(mode="json", exclude_unset=True))
        headers = {
            "X-Fal-Queue-Priority": self.priority,
            "X-Fal-Request-Timeout": self.start_timeout and str(self.start_timeout),
            "X-Fal-Runner-Hint": self.runner_hint,
            "X-Fal-No-Retry": "1" if self.no_retry else None,
            "X-Fal-Store-IO": None if self.store_io else "0",
            # fal-client sends both names: the platform reads one, its CDN the other.
            "X-Fal-Object-Lifecycle-Preference": stored,
            "X-Fal-Object-Lifecycle": stored,
            "X-Fal-Tags": _joined({JOB_TAG: job_id, **self.tags}),
        }
        return {name: value for name, value in headers.items() if value}


def merged(options: Mapping[str, object], over: Mapping[str, object]) -> dict[str, object]:
    """Both, `over` where they differ; of tags and object_lifecycle each member for itself."""
    both = {**options, **over}
    for name in over:
        first, second = options.get(name), over[name]
        if isinstance(first, Mapping) and isinstance(second, Mapping):
            both[name] = {**first, **second}
    return both


def _joined(tags: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in tags.items())


def _problem(error: ErrorDetails) -> Problem:
    loc = [str(step) for step in error["loc"] if step != "[key]"]
    if error["type"] == "extra_forbidden":
        known = ", ".join(Options.model_fields)
        message, hint = "is no option", f"the options are {known}" if len(loc) == 1 else ""
        return Problem(path=".".join(loc), value="", message=message, hint=hint)
    words = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    message = _TYPES.get(error["type"], words)
    value = shown(error["input"]) if loc else ""
    return Problem(path=".".join(loc) or "options", value=value, message=message)
