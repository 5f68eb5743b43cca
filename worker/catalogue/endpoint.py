"""One endpoint of fal: its inputs, outputs and price."""

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from worker.catalogue import billing
from worker.catalogue.errors import (
    InputProblem,
    InvalidArguments,
    UnknownSchema,
    WithdrawnEndpoint,
    shown,
)
from worker.catalogue.input_index import InputIndex
from worker.catalogue.inputs import Input
from worker.catalogue.outputs import certain_file
from worker.catalogue.prices import Estimate, Price
from worker.catalogue.validation.rules import Rule

if TYPE_CHECKING:
    from worker.catalogue.validation.json_schema import RequestSchema


class Status(StrEnum):
    """Whether fal serves an endpoint."""

    LISTED = "listed"
    DEPRECATED = "deprecated"
    WITHDRAWN = "withdrawn"
    ANNOUNCED = "announced"
    """Named by fal, but without a published schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An endpoint of the catalogue.

    `outputs` maps the names in a callback's payload to their types (outputs.py). `sources` are
    the pages from which its row was read, and `note` says what to know about it. `video_price`
    replaces `price` for arguments with a video. `typical_seconds` is fal's published render time.
    From `withdrawn_at` on it is refused; fal advises against it since `deprecated_at`.
    `ready_example` is what `example` returns, if that is known in advance.
    `json_schema` is fal's own description of the inputs, if it was added from one. `unchecked`
    lists the keywords of its schema about all inputs together that are not validated. With
    `additional` it accepts undeclared inputs. `names` indexes the inputs of the whole catalogue.
    """

    endpoint: str
    request_type: str = ""
    inputs: tuple[Input, ...] = ()
    rules: tuple[Rule, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict, hash=False)
    price: Price | None = None
    video_price: Price | None = None
    typical_seconds: int | None = None
    status: Status = Status.LISTED
    deprecated_at: date | None = None
    withdrawn_at: date | None = None
    replaced_by: str = ""
    note: str = ""
    sources: tuple[str, ...] = ()
    examples: Mapping[str, object] = field(default_factory=dict, hash=False)
    ready_example: Mapping[str, object] | None = field(default=None, compare=False, repr=False)
    json_schema: "RequestSchema | None" = field(default=None, repr=False)
    unchecked: tuple[str, ...] = ()
    additional: bool = False
    names: InputIndex = field(default_factory=InputIndex, repr=False, compare=False)

    @property
    def needs_file(self) -> bool:
        """Whether a result without a file is a failure, according to the declared outputs."""
        return certain_file(self.outputs)

    def check(
        self, arguments: Mapping[str, object], *, problems: Sequence[InputProblem] = ()
    ) -> dict[str, object]:
        """Return the arguments to POST: numeric durations become strings; no default is added.

        Encoding them as JSON in UTF-8 cannot fail. Raises WithdrawnEndpoint, UnknownSchema, or
        InvalidArguments with every problem, including `problems`, which the caller found.
        """
        # Imported here: to list endpoints nothing is validated, and this is half of the catalogue.
        from pydantic import ValidationError  # noqa: PLC0415

        from worker.catalogue.validation.arguments import dumped, schema  # noqa: PLC0415
        from worker.catalogue.validation.messages import in_order, problem  # noqa: PLC0415
        from worker.catalogue.validation.unknown_names import misplaced  # noqa: PLC0415

        self._require_served()
        untyped: object = arguments
        if not isinstance(untyped, Mapping):
            not_object = InputProblem(
                path="arguments", value=shown(untyped), message="must be an object"
            )
            raise InvalidArguments(self.endpoint, [not_object])
        values = {str(name): value for name, value in arguments.items()}
        all_problems = list(problems)
        try:
            form = schema(self.inputs, additional=self.additional)
            checked = dumped(form.model_validate(values), values)
        except ValidationError as invalid:
            errors = invalid.errors(include_url=False)
            endpoint_for = partial(self.names.endpoint_for, like=self.endpoint)
            all_problems += [problem(error, self.inputs, endpoint_for) for error in errors]
        all_problems += [broken for rule in self.rules for broken in rule.problems(values)]
        if self.additional:
            all_problems += misplaced(values, self.inputs)
        if self.json_schema is not None:
            all_problems += self.json_schema.problems(values, self.inputs, tuple(all_problems))
        if all_problems:
            raise InvalidArguments(self.endpoint, in_order(all_problems, values))
        return checked

    def typed(self, name: str, text: str) -> object:
        """Return the value that the text from a person means for this input."""
        from worker.catalogue.validation.text_values import typed  # noqa: PLC0415

        item = next((item for item in self.inputs if item.name == name), None)
        return typed(item, name, text)

    def example(self) -> dict[str, object]:
        """Return valid example arguments: the required inputs and the length.

        Raises WithdrawnEndpoint or UnknownSchema.
        """
        from worker.catalogue.examples import example  # noqa: PLC0415

        self._require_served()
        if self.ready_example is not None:
            return deepcopy(dict(self.ready_example))
        return example(self.inputs, self.rules, self.examples)

    def output_seconds(self, arguments: Mapping[str, object]) -> int | None:
        """Return the seconds of video requested; None if unknown or decided by the input media."""
        return billing.output_seconds(self.inputs, arguments)

    def estimate(self, arguments: Mapping[str, object]) -> Estimate | None:
        """Return the estimated cost of the job; None if the price or the length is unknown."""
        seconds, price = self.output_seconds(arguments), self._price(arguments)
        if price is None or seconds is None:
            return None
        soundtrack = billing.soundtrack(self.inputs, arguments)
        return price.estimate(seconds, soundtrack, billing.resolution(self.inputs, arguments))

    def _price(self, arguments: Mapping[str, object]) -> Price | None:
        with_video = self.video_price and billing.has_video(self.inputs, arguments)
        return self.video_price if with_video else self.price

    @property
    def price_sentence(self) -> str:
        """The rate for a table, or "price not known"."""
        if self.price is None:
            return "price not known"
        soundtracks = billing.soundtracks(self.inputs)
        rate = self.price.describe(soundtracks)
        if self.video_price is None:
            return rate
        return f"{rate}; with a video {self.video_price.describe(soundtracks)}"

    def cost_sentence(self, arguments: Mapping[str, object]) -> str:
        """Return a sentence with the estimated cost of a job, or why there is no estimate."""
        if estimate := self.estimate(arguments):
            return f"It should cost {estimate.sentence}."
        if self.price is None:
            return "Its price is not known."
        if not self.inputs:
            return (
                f"Its inputs are not known, so its cost cannot be estimated: {self.price_sentence}."
            )
        return f"Its cost depends on its input: {self.price_sentence}."

    @property
    def current_status(self) -> Status:
        """The status today (UTC), when a date of its row may have come."""
        today = datetime.now(UTC).date()
        if self.withdrawn_at is not None and self.withdrawn_at <= today:
            return Status.WITHDRAWN
        if self.status is Status.LISTED and self.deprecated_at and self.deprecated_at <= today:
            return Status.DEPRECATED
        return self.status

    def require_not_withdrawn(self) -> None:
        """Return if fal has not withdrawn the endpoint until today. Raises WithdrawnEndpoint."""
        if self.current_status is Status.WITHDRAWN:
            raise WithdrawnEndpoint(self.endpoint, self.replaced_by, self.withdrawn_at)

    def _require_served(self) -> None:
        self.require_not_withdrawn()
        if self.current_status is Status.ANNOUNCED:
            raise UnknownSchema(self.endpoint)


LONGEST_ENDPOINT = 200
ENDPOINT = re.compile(r"[A-Za-z0-9][\w.-]{0,99}(/[A-Za-z0-9][\w.-]{0,99}){1,7}", re.ASCII)
