"""Rules that look into lists: how much they hold, and what each of their objects."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from worker.catalogue.errors import Problem

_EACH = "[]."


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

    def problems(self, arguments: Mapping[str, object]) -> Iterator[Problem]:
        """What breaks this rule in the arguments."""
        if self.when and not values(arguments, self.when):
            return
        found = {path: values(arguments, path) for path in self.of}
        count = sum(map(len, found.values()))
        if count > self.at_most:
            first = next(path for path, given in found.items() if given)
            message = f"{self.sentence}, not {count:,}"
            yield Problem(path=first.partition(_EACH)[0], value="", message=message)


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

    def problems(self, arguments: Mapping[str, object]) -> Iterator[Problem]:
        """What breaks this rule in the arguments."""
        for place, single in enumerate(values(arguments, self.each)):
            if isinstance(single, Mapping) and not any(single.get(name) for name in self.some_of):
                path = f"{self.each}[{place}]"
                yield Problem(path=path, value="", message=f"{self._members} is required")


def values(arguments: Mapping[str, object], path: str) -> list[object]:
    """What is given at the path: the items of a list, else the one value, else nothing."""
    name, _, below = path.partition(_EACH)
    given = arguments.get(name)
    found = given if isinstance(given, list) else [] if given is None else [given]
    if not below:
        return found
    return [one for item in found if isinstance(item, Mapping) for one in values(item, below)]
