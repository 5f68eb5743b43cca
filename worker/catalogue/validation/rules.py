"""What holds between the inputs of an endpoint, beyond each input on its own.

A rule speaks of inputs by path: `image_urls`, or `elements[].video_url` for that member of each
element. What is null counts as not given; that it is null is told as a problem of its own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Discriminator, Field, Tag

from worker.catalogue.errors import InputProblem, shown

_KEYS = ("exactly_one", "needs", "at_most", "some_of")
_EACH = "[]."


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactlyOne:
    """One of these inputs is given, and only one."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    exactly_one: Annotated[tuple[str, ...], Field(min_length=1)]

    @property
    def sentence(self) -> str:
        """The rule for people."""
        return f"exactly one of {', '.join(self.exactly_one)}"

    @property
    def names(self) -> tuple[str, ...]:
        """The inputs that it speaks of."""
        return self.exactly_one

    def problems(self, arguments: Mapping[str, object]) -> Iterator[InputProblem]:
        """What breaks this rule in the arguments."""
        given = [name for name in self.exactly_one if arguments.get(name) is not None]
        names = " or ".join(self.exactly_one)
        match given:
            case []:
                yield InputProblem(
                    path=self.exactly_one[0], value="", message=f"{names} is required"
                )
            case [name]:
                if isinstance(words := arguments[name], str) and not words.strip():
                    yield InputProblem(path=name, value="", message="must not be empty")
            case _:
                yield InputProblem(path=given[-1], value="", message=f"give {names}, not both")


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """`input` is taken only where `needs` has the value `equal`."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    input: str
    needs: str
    equal: str

    @property
    def sentence(self) -> str:
        """The rule for people."""
        return f'{self.input} only with {self.needs} "{self.equal}"'

    @property
    def names(self) -> tuple[str, ...]:
        """The inputs that it speaks of."""
        return self.input, self.needs

    def problems(self, arguments: Mapping[str, object]) -> Iterator[InputProblem]:
        """What breaks this rule in the arguments."""
        given = arguments.get(self.input)
        if given is not None and arguments.get(self.needs) != self.equal:
            message = f'is only taken with {self.needs} "{self.equal}"'
            yield InputProblem(path=self.input, value=shown(given, words=True), message=message)


@dataclass(frozen=True, slots=True, kw_only=True)
class AtMost:
    """The inputs `of` hold so many values over all; with `when`, only where that is given."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    at_most: Annotated[int, Field(ge=0)]
    of: Annotated[tuple[str, ...], Field(min_length=1)]
    when: str = ""

    @property
    def sentence(self) -> str:
        """The rule for people."""
        together = ", counted together" if len(self.of) > 1 else ""
        when = f" where {self.when} is given" if self.when else ""
        return f"at most {self.at_most} of {' and '.join(self.of)}{together}{when}"

    @property
    def names(self) -> tuple[str, ...]:
        """The inputs that it speaks of."""
        return (*self.of, self.when) if self.when else self.of

    def problems(self, arguments: Mapping[str, object]) -> Iterator[InputProblem]:
        """What breaks this rule in the arguments."""
        if self.when and not values(arguments, self.when):
            return
        found = {path: values(arguments, path) for path in self.of}
        count = sum(map(len, found.values()))
        if count > self.at_most:
            first = next(path for path, given in found.items() if given)
            message = f"{self.sentence}, not {count:,}"
            yield InputProblem(path=first.partition(_EACH)[0], value="", message=message)


@dataclass(frozen=True, slots=True, kw_only=True)
class SomeOf:
    """Each object in the list `each` has at least one of these members."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    each: str
    some_of: Annotated[tuple[str, ...], Field(min_length=1)]

    @property
    def sentence(self) -> str:
        """The rule for people."""
        return f"each of {self.each} with {self._members}"

    @property
    def _members(self) -> str:
        *first, last = self.some_of
        return f"{', '.join(first)} or {last}" if first else last

    @property
    def names(self) -> tuple[str, ...]:
        """The inputs that it speaks of."""
        return tuple(f"{self.each}{_EACH}{member}" for member in self.some_of)

    def problems(self, arguments: Mapping[str, object]) -> Iterator[InputProblem]:
        """What breaks this rule in the arguments."""
        for place, single in enumerate(values(arguments, self.each)):
            if isinstance(single, Mapping) and not any(single.get(name) for name in self.some_of):
                path = f"{self.each}[{place}]"
                yield InputProblem(path=path, value="", message=f"{self._members} is required")


def _key(rule: object) -> str | None:
    """The key that only rules of one kind have."""
    keys = rule if isinstance(rule, Mapping) else getattr(rule, "__dataclass_fields__", ())
    return next((key for key in _KEYS if key in keys), None)


Rule = Annotated[
    Annotated[ExactlyOne, Tag("exactly_one")]
    | Annotated[Needs, Tag("needs")]
    | Annotated[AtMost, Tag("at_most")]
    | Annotated[SomeOf, Tag("some_of")],
    Discriminator(
        _key,
        custom_error_type="no_rule",
        custom_error_message=f"a rule has one of the keys {', '.join(_KEYS)}",
    ),
]


def values(arguments: Mapping[str, object], path: str) -> list[object]:
    """What is given at the path: the items of a list, else the one value, else nothing."""
    name, _, below = path.partition(_EACH)
    given = arguments.get(name)
    found = given if isinstance(given, list) else [] if given is None else [given]
    if not below:
        return found
    return [one for item in found if isinstance(item, Mapping) for one in values(item, below)]
