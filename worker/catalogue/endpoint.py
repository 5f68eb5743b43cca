"""One endpoint of fal: what it takes, gives and costs."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial

from pydantic import ValidationError

from worker.catalogue import billing
from worker.catalogue.errors import (
    InputProblem,
    InvalidArguments,
    UnknownSchema,
    WithdrawnEndpoint,
    shown,
)
from worker.catalogue.examples import example
from worker.catalogue.input_index import InputIndex
from worker.catalogue.inputs import Input
from worker.catalogue.outputs import certain_file
from worker.catalogue.prices import Basis, Estimate, Price
from worker.catalogue.validation.arguments import dumped, schema
from worker.catalogue.validation.messages import in_order, problem
from worker.catalogue.validation.rules import Rule
from worker.catalogue.validation.text_values import typed
from worker.catalogue.validation.unknown_names import misplaced


class Status(StrEnum):
    """Whether fal serves an endpoint."""

    LISTED = "listed"
    DEPRECATED = "deprecated"
    WITHDRAWN = "withdrawn"
    ANNOUNCED = "announced"
    """Named by fal, its schema not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An endpoint. `outputs` maps the names in a callback's payload to their types, see outputs.py;
    `sources` say where its row was read; `unchecked` are the keywords of its schema about all
    inputs together that nothing here checks; with `additional` it takes inputs of other names
    as well; `names` are those of all endpoints beside it.
    """

    endpoint: str
    request_type: str = ""
    inputs: tuple[Input, ...] = ()
    rules: tuple[Rule, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict, hash=False)
    price: Price | None = None
    status: Status = Status.LISTED
    replaced_by: str = ""
    sources: tuple[str, ...] = ()
    examples: Mapping[str, object] = field(default_factory=dict, hash=False)
    unchecked: tuple[str, ...] = ()
    additional: bool = False
    names: InputIndex = field(default_factory=InputIndex, repr=False, compare=False)

    @property
    def needs_file(self) -> bool:
        """Whether a result without a file is a failure, as far as the endpoint's outputs say."""
        return certain_file(self.outputs)

    def check(
        self, arguments: Mapping[str, object], *, problems: Sequence[InputProblem] = ()
    ) -> dict[str, object]:
        """The arguments to POST: what was given, a numeric duration as a string, no default added.

        Encoding them as JSON in UTF-8 cannot fail. Raises WithdrawnEndpoint, UnknownSchema, or
        InvalidArguments with everything that is wrong; `problems` are those known already.
        """
        self._refuse_unserved()
        whatever: object = arguments
        if not isinstance(whatever, Mapping):
            whole = InputProblem(
                path="arguments", value=shown(whatever), message="must be an object"
            )
            raise InvalidArguments(self.endpoint, [whole])
        given = {str(name): value for name, value in arguments.items()}
        found = list(problems)
        try:
            form = schema(self.inputs, additional=self.additional)
            checked = dumped(form.model_validate(given), given)
        except ValidationError as invalid:
            errors = invalid.errors(include_url=False)
            taker = partial(self.names.endpoint_for, asking=self.endpoint)
            found += [problem(error, self.inputs, taker) for error in errors]
        found += [broken for rule in self.rules for broken in rule.problems(given)]
        if self.additional:
            found += misplaced(given, self.inputs)
        if found:
            raise InvalidArguments(self.endpoint, in_order(found, given))
        return checked

    def typed(self, name: str, text: str) -> object:
        """The text that a person gave for an input as the value it means to this endpoint."""
        item = next((item for item in self.inputs if item.name == name), None)
        return typed(item, name, text)

    def example(self) -> dict[str, object]:
        """Inputs that the endpoint takes: the required ones and the length.

        Raises as `check` does where the endpoint takes none.
        """
        self._refuse_unserved()
        return example(self.inputs, self.rules, self.examples)

    def output_seconds(self, arguments: Mapping[str, object]) -> int | None:
        """Seconds of video asked for; None where the input media decide or nothing is known."""
        return billing.output_seconds(self.inputs, arguments)

    def estimate(self, arguments: Mapping[str, object]) -> Estimate | None:
        """What the job should cost; None where the price or the length is not known beforehand."""
        seconds = self.output_seconds(arguments)
        if self.price is None or self.price.basis is not Basis.OUTPUT or seconds is None:
            return None
        return self.price.estimate(seconds, billing.soundtrack(self.inputs, arguments))

    @property
    def price_sentence(self) -> str:
        """The rate as a table shows it, or that it is not known."""
        if self.price is None:
            return "price not known"
        return self.price.describe(billing.soundtracks(self.inputs))

    def cost_sentence(self, arguments: Mapping[str, object]) -> str:
        """What a job with these arguments should cost, or why nobody can tell."""
        if estimate := self.estimate(arguments):
            return f"It should cost {estimate.sentence}."
        if self.price is None:
            return "Its price is not known."
        if not self.inputs:
            return f"Its inputs are not known, so its cost is not either: {self.price_sentence}."
        return f"Its cost depends on its input: {self.price_sentence}."

    def _refuse_unserved(self) -> None:
        if self.status is Status.WITHDRAWN:
            raise WithdrawnEndpoint(self.endpoint, self.replaced_by)
        if self.status is Status.ANNOUNCED:
            raise UnknownSchema(self.endpoint)


LONGEST_ENDPOINT = 200


ENDPOINT = re.compile(r"[A-Za-z0-9][\w.-]{0,99}(/[A-Za-z0-9][\w.-]{0,99}){1,7}", re.ASCII)
