"""Rules between the inputs of an endpoint, such as exactly one of two.

A rule names inputs by path: `image_urls`, or `elements[].video_url` for that member of each
element. Null counts as not passed here; that an input must not be null is a problem of its own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from worker.catalogue.errors import InputProblem, shown

_EACH = "[]."
# What pydantic reads of these classes (files/forms.py); to import it takes longer than to list all.
_AT_LEAST_ONE: Mapping[str, object] = {"min_length": 1}
_NOT_NEGATIVE: Mapping[str, object] = {"ge": 0}
_CONFIG: Mapping[str, object] = {"extra": "forbid"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactlyOne:
    """Exactly one of these inputs is passed."""

    __pydantic_config__: ClassVar = _CONFIG

    exactly_one: tuple[str, ...] = field(metadata=_AT_LEAST_ONE)

    @property
    def sentence(self) -> str:
        """The rule for display."""
        return f"exactly one of {', '.join(self.exactly_one)}"

    @property
    def names(self) -> tuple[str, ...]:
        """The inputs that the rule names."""
        return self.exactly_one

    def problems(self, arguments: Mapping[str, object]) -> Iterator[InputProblem]:
        """Yield the violations of the rule."""
        passed = [name for name in self.exactly_one if arguments.get(name) is not None]
        names = " or ".join(self.exactly_one)
        match passed:
            case []:
                yield InputProblem(
                    path=self.exactly_one[0], value="", message=f"{names} is required"
                )
            case [name]:
                if isinstance(text := arguments[name], str) and not text.strip():
                    yield InputProblem(path=name, value="", message="must not be empty")
            case _:
                yield InputProblem(path=passed[-1], value="", message=f"pass {names}, not both")


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """`input` is accepted only if the input `needs` has the value `equal`."""

    __pydantic_config__: ClassVar = _CONFIG

    input: str
    needs: str
    equal: str

    @property
    def sentence(self) -> str:
        """The rule for display."""
        return f'{self.input} only with {self.needs} "{self.equal}"'

    @property
    def names(self) -> tuple[str, ...]:
        """The inputs that the rule names."""
        return self.input, self.needs

    def problems(self, arguments: Mapping[str, object]) -> Iterator[InputProblem]:
        """Yield the violations of the rule."""
        value = arguments.get(self.input)
        if value is not None and arguments.get(self.needs) != self.equal:
            message = f'is only accepted with {self.needs} "{self.equal}"'
            yield InputProblem(path=self.input, value=shown(value, words=True), message=message)


@dataclass(frozen=True, slots=True, kw_only=True)
class AtMost:
    """The inputs `of` have at most this many values in total; with `when`, only if it is passed."""

    __pydantic_config__: ClassVar = _CONFIG

    at_most: int = field(metadata=_NOT_NEGATIVE)
    of: tuple[str, ...] = field(metadata=_AT_LEAST_ONE)
    when: str = ""

    @property
    def sentence(self) -> str:
        """The rule for display."""
        together = ", counted together" if len(self.of) > 1 else ""
        when = f" if {self.when} is passed" if self.when else ""
        return f"at most {self.at_most} of {' and '.join(self.of)}{together}{when}"

    @property
    def names(self) -> tuple[str, ...]:
        """The inputs that the rule names."""
        return (*self.of, self.when) if self.when else self.of

    def problems(self, arguments: Mapping[str, object]) -> Iterator[InputProblem]:
        """Yield the violations of the rule."""
        if self.when and not values(arguments, self.when):
            return
        passed = {path: values(arguments, path) for path in self.of}
        count = sum(map(len, passed.values()))
        if count > self.at_most:
            first = next(path for path, items in passed.items() if items)
            message = f"{self.sentence}, not {count:,}"
            yield InputProblem(path=first.partition(_EACH)[0], value="", message=message)


@dataclass(frozen=True, slots=True, kw_only=True)
class SomeOf:
    """Each object in the list `each` has at least one of these members."""

    __pydantic_config__: ClassVar = _CONFIG

    each: str
    some_of: tuple[str, ...] = field(metadata=_AT_LEAST_ONE)

    @property
    def sentence(self) -> str:
        """The rule for display."""
        return f"{self._members} in each of {self.each}"

    @property
    def _members(self) -> str:
        *first, last = self.some_of
        return f"{', '.join(first)} or {last}" if first else last

    @property
    def names(self) -> tuple[str, ...]:
        """The inputs that the rule names."""
        return tuple(f"{self.each}{_EACH}{member}" for member in self.some_of)

    def problems(self, arguments: Mapping[str, object]) -> Iterator[InputProblem]:
        """Yield the violations of the rule."""
        for index, item in enumerate(values(arguments, self.each)):
            if isinstance(item, Mapping) and not any(item.get(name) for name in self.some_of):
                path = f"{self.each}[{index}]"
                yield InputProblem(path=path, value="", message=f"{self._members} is required")


Rule: TypeAlias = ExactlyOne | Needs | AtMost | SomeOf
KINDS: Mapping[str, type[Rule]] = {
    "exactly_one": ExactlyOne,
    "needs": Needs,
    "at_most": AtMost,
    "some_of": SomeOf,
}
"""The kinds of rules by the key that only they have."""


def values(arguments: Mapping[str, object], path: str) -> list[object]:
    """Return the values passed at the path: the items of a list, or the single value."""
    name, _, below = path.partition(_EACH)
    value = arguments.get(name)
    items = value if isinstance(value, list) else [] if value is None else [value]
    if not below:
        return items
    objects = (item for item in items if isinstance(item, Mapping))
    return [value for item in objects for value in values(item, below)]
