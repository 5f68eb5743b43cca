"""Rules on which inputs are given together."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from worker.catalogue.errors import Problem, shown


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

    def problems(self, arguments: Mapping[str, object]) -> Iterator[Problem]:
        """What breaks this rule in the arguments."""
        given = [name for name in self.exactly_one if arguments.get(name) is not None]
        names = " or ".join(self.exactly_one)
        match given:
            case []:
                yield Problem(path=self.exactly_one[0], value="", message=f"{names} is required")
            case [name]:
                if isinstance(words := arguments[name], str) and not words.strip():
                    yield Problem(path=name, value="", message="must not be empty")
            case _:
                yield Problem(path=given[-1], value="", message=f"give {names}, not both")


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

    def problems(self, arguments: Mapping[str, object]) -> Iterator[Problem]:
        """What breaks this rule in the arguments."""
        given = arguments.get(self.input)
        if given is not None and arguments.get(self.needs) != self.equal:
            message = f'is only taken with {self.needs} "{self.equal}"'
            yield Problem(path=self.input, value=shown(given, words=True), message=message)
