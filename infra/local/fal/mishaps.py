"""The mishaps of one request, and how it asks for them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from infra.local.fal.mishap_table import MISHAPS, Argument

HEADER = "X-Sim-Mishap"
_MARK = re.compile(r"\[\[\s*sim:(.*?)\]\]", re.DOTALL)


class UnknownMishap(Exception):
    """A request asked for a mishap that is not in the table, or with a bad argument."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mishaps:
    """The mishaps of one request, by name, with their arguments filled in."""

    asked: Mapping[str, str] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.asked

    def text(self, name: str) -> str:
        """Return the argument of the mishap `name`, which was asked for."""
        return self.asked[name]

    def number(self, name: str) -> float:
        """Return the argument of `name` as a number; 0 if it was not asked for."""
        return float(self.asked.get(name) or 0)

    def strikes(self, name: str, nth: int) -> bool:
        """Say whether `name` was asked for and still happens the `nth` time, counted from 1."""
        if name not in self.asked:
            return False
        own = MISHAPS[name].argument is Argument.TIMES and self.asked[name]
        times = own or self.asked.get("times")
        return not times or nth <= int(times)

    def refusal(self, nth: int) -> str | None:
        """Return the name of the `status-*` mishap that meets the `nth` POST, if one does."""
        names = (name for name in self.asked if name.startswith("status-"))
        return next((name for name in names if self.strikes(name, nth)), None)


def parse(header: str, body: object) -> Mishaps:
    """Return the mishaps that the header value and the marks in the JSON `body` ask for.

    A mark is ``[[sim: name, name=argument]]`` inside any string of the body.

    Raises:
        UnknownMishap: a name is not in the table, or its argument is not of its kind.
    """
    wishes = [header, *(mark for text in _strings(body) for mark in _MARK.findall(text))]
    parts = (part.strip() for wish in wishes for part in wish.split(","))
    return Mishaps(asked=dict(_wish(part) for part in parts if part))


def unmarked(text: str) -> str:
    """Return `text` without the marks that ask for mishaps."""
    return _MARK.sub("", text).strip()


def _wish(part: str) -> tuple[str, str]:
    name, _, given = (piece.strip() for piece in part.partition("="))
    mishap = MISHAPS.get(name)
    if mishap is None:
        raise UnknownMishap(f"There is no mishap '{name}'; GET / lists them.")
    value = given or mishap.default
    if not _fits(mishap.argument, value):
        raise UnknownMishap(f"The mishap '{name}' takes {mishap.argument}, not '{given}'.")
    if mishap.choices and value not in mishap.choices:
        raise UnknownMishap(f"The mishap '{name}' takes one of {', '.join(mishap.choices)}.")
    return name, value


def _fits(argument: Argument, value: str) -> bool:
    match argument:
        case Argument.NONE:
            return not value
        case Argument.COUNT:
            return value.isdecimal()
        case Argument.TIMES:
            return not value or value.isdecimal()
        case Argument.SECONDS:
            return not value or re.fullmatch(r"\d+(\.\d+)?", value) is not None
        case Argument.TEXT:
            return True


def _strings(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for item in value.values():
                yield from _strings(item)
        case list():
            for item in value:
                yield from _strings(item)
