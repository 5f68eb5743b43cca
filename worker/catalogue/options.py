"""Platform options of a job, sent as headers or in the query: queueing, retention, billing tags.

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
    ObjectLifecycle,
    StrictModel,
    header_text,
    tag_key,
    tag_value,
)
from worker.catalogue.validation.text_values import boolean, json_or_text
from worker.types import Json


class Options(StrictModel):
    """The platform options of one job; fal's defaults apply to those that are not set.

    `start_timeout` is the time in seconds until the render begins. `runner_hint` requests the
    runner of earlier jobs with the same hint. `no_retry` turns fal's own retries off. `store_io`
    False keeps inputs and result out of fal's 30-day history. fal does not accept the job while
    more than `max_queue_length` requests of all its customers wait for the endpoint.
    """

    priority: Literal["normal", "low"] | None = None
    # https://github.com/fal-ai/fal fal_client/_headers.py: rejects 1 second and less.
    start_timeout: Annotated[float, Field(gt=1, le=86_400, allow_inf_nan=False)] | None = None
    runner_hint: Annotated[str, AfterValidator(header_text)] | None = None
    no_retry: bool = False
    store_io: bool = True
    object_lifecycle: ObjectLifecycle | None = None
    # https://docs.fal.ai/documentation/model-apis/inference/queue : a 429 if there are more.
    max_queue_length: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    tags: dict[
        Annotated[str, AfterValidator(tag_key)], Annotated[str, AfterValidator(tag_value)]
    ] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_tags(self) -> Self:
        if len(self.tags) >= MOST_TAGS:
            raise ValueError(
                f"tags must have at most {MOST_TAGS - 1} entries; falhook adds the job's id"
            )
        longest = LONGEST_TAGS - LONGEST_JOB_TAG
        if len(_joined(self.tags)) > longest:
            raise ValueError(f"tags must have at most {longest} bytes in total")
        return self

    @classmethod
    def read(cls, values: Mapping[str, object] | None) -> Self:
        """Return the options of a JSON object. Raises InvalidOptions with every problem."""
        try:
            return cls.model_validate({} if values is None else values)
        except ValidationError as invalid:
            errors = invalid.errors(include_url=False)
            known = tuple(cls.model_fields)
            raise InvalidOptions([problem(error, known) for error in errors]) from None

    @classmethod
    def typed(cls, name: str, text: str) -> object:
        """Return the value that a spreadsheet's cell means for this option, or its text unchanged.

        Raises UnusableJson for JSON that cannot be read without loss.
        """
        field = cls.model_fields.get(name)
        types = set(_types(field.annotation)) if field else {str}
        if bool in types:
            return boolean(text)
        if str in types:
            return text
        return text.strip() if Literal in types else json_or_text(text)

    def record(self) -> dict[str, Json]:
        """Return the options that were set, for the job's record; `read` accepts it."""
        return self.model_dump(mode="json", exclude_unset=True)

    def headers(self, job_id: str) -> dict[str, str]:
        """Return fal's headers for the POST of this job."""
        lifecycle = self.object_lifecycle
        # https://docs.fal.ai : null keeps the files for ever, so it must be sent too.
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

    def query(self) -> dict[str, str]:
        """Return the parameters of the POST's address, besides the callback URL."""
        if self.max_queue_length is None:
            return {}
        return {"fal_max_queue_length": str(self.max_queue_length)}


def merged(options: Mapping[str, object], over: Mapping[str, object]) -> dict[str, object]:
    """Return `options` updated with `over`; tags and object_lifecycle merge member by member."""
    result = {**options, **over}
    for name in over:
        first, second = options.get(name), over[name]
        if isinstance(first, Mapping) and isinstance(second, Mapping):
            result[name] = {**first, **second}
    return result


def _joined(tags: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in tags.items())


def _types(annotation: object) -> Iterator[object]:
    """Yield the plain types within an annotation; Annotated and unions are unwrapped."""
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
