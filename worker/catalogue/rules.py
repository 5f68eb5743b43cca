"""What holds between the inputs of an endpoint, beyond each input on its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from pydantic import ConfigDict

from worker.catalogue.errors import Problem, shown


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactlyOne:
    """One of these inputs is given, and only one."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    exactly_one: tuple[str, ...]

    def problem(self, arguments: Mapping[str, object]) -> Problem | None:
        """What breaks this rule in the arguments, if anything does."""
        # null is told as such; it gives nothing.
        given = [name for name in self.exactly_one if arguments.get(name) is not None]
        names = " or ".join(self.exactly_one)
        match given:
            case []:
                return Problem(path=self.exactly_one[0], value="", message=f"{names} is required")
            case [name]:
                blank = isinstance(words := arguments[name], str) and not words.strip()
                empty = Problem(path=name, value="", message="must not be empty")
                return empty if blank else None
            case _:
                return Problem(path=given[-1], value="", message=f"give {names}, not both")


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """`input` is taken only where `needs` has the value `equal`."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    input: str
    needs: str
    equal: str

    def problem(self, arguments: Mapping[str, object]) -> Problem | None:
        """What breaks this rule in the arguments, if anything does."""
        if self.input not in arguments or arguments.get(self.needs) == self.equal:
            return None
        return Problem(
            path=self.input,
            value=shown(arguments[self.input]),
            message=f'is only taken with {self.needs} "{self.equal}"',
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AtMost:
    """The lists `of` have so many items over all."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    at_most: int
    of: tuple[str, ...]

    def problem(self, arguments: Mapping[str, object]) -> Problem | None:
        """What breaks this rule in the arguments, if anything does."""
        lists = [given for name in self.of if isinstance(given := arguments.get(name), list)]
        count = sum(len(given) for given in lists)
        if count <= self.at_most:
            return None
        first = next(name for name in self.of if name in arguments)
        names = " and ".join(self.of)
        message = f"{names} may have {self.at_most} items over all, not {count:,}"
        return Problem(path=first, value="", message=message)


Rule = ExactlyOne | Needs | AtMost
