"""What fal is asked beside the inputs: how to queue a job, what to keep, how to bill it.

Headers: https://fal.ai/docs (platform headers) and fal-client's `_headers.py`. The job's id is
always among the tags, which fal shows in its billing events.
"""

import json
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Literal, Self, Union, get_args, get_origin

from pydantic import AfterValidator, Field, ValidationError, model_validator

from worker.catalogue.option_errors import InvalidOptions, problem
from worker.catalogue.option_types import (
    JOB_TAG,
    LONGEST_JOB_TAG,
    LONGEST_TAGS,
    MOST_TAGS,
    Form,
    ObjectLifecycle,
    hint,
    tag_key,
    tag_value,
)
from worker.catalogue.validation.text_values import boolean, json_or_text
from worker.types import Json


class Options(Form):
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
    ] = Field(default_factory=dict)

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
            known = tuple(cls.model_fields)
            raise InvalidOptions([problem(error, known) for error in errors]) from None

    @classmethod
    def typed(cls, name: str, text: str) -> object:
        """The value that a spreadsheet's cell means for this option; text for one that is none.

        Raises UnusableJson for JSON of which something would be lost.
        """
        field = cls.model_fields.get(name)
        types = set(_types(field.annotation)) if field else {str}
        if bool in types:
            return boolean(text)
        if str in types:
            return text
        return text.strip() if Literal in types else json_or_text(text)

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


def _types(annotation: object) -> Iterator[object]:
    """The types of a field's values, whatever is said about them besides."""
    match get_origin(annotation):
        case None:
            yield annotation
        case origin if origin is UnionType or origin is Union:
            for member in get_args(annotation):
                yield from _types(member)
        case origin if origin is Annotated:
            yield from _types(get_args(annotation)[0])
        case origin:
            yield origin
