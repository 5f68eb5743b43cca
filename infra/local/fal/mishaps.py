"""The mishaps of one request, parsed from its header and input."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from infra.local.fal.mishap_table import MISHAPS, Argument

HEADER = "X-Sim-Mishap"
_MARK = re.compile(r"\[\[\s*sim:(.*?)\]\]", re.DOTALL)


class UnknownMishap(Exception):
    """A request names a mishap that is not in the table, or a bad argument."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mishaps:
    """The mishaps of one request by name, with their arguments or defaults."""

    requested: Mapping[str, str] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.requested

    def text(self, name: str) -> str:
        """Return the argument of the requested mishap `name`."""
        return self.requested[name]

    def number(self, name: str) -> float:
        """Return the argument of `name` as a number; 0 if it was not requested."""
        return float(self.requested.get(name) or 0)

    def applies(self, name: str, nth: int) -> bool:
        """Return whether `name` was requested and applies the `nth` time, counted from 1."""
        if name not in self.requested:
            return False
        limit = MISHAPS[name].argument is Argument.TIMES and self.requested[name]
        times = limit or self.requested.get("times")
        return not times or nth <= int(times)

    def refusal(self, nth: int) -> str | None:
        """Return the name of the `status-*` mishap that applies to the `nth` POST, if any."""
        names = (name for name in self.requested if name.startswith("status-"))
        return next((name for name in names if self.applies(name, nth)), None)


def parse(header: str, body: object) -> Mishaps:
    """Return the mishaps requested in the header value and by marks in the JSON `body`.

    A mark is ``[[sim: name, name=argument]]`` in any string of the body. Raise UnknownMishap if a
    name is not in the table or its argument is of the wrong kind.
    """
    texts = [header, *(mark for text in _strings(body) for mark in _MARK.findall(text))]
    parts = (part.strip() for text in texts for part in text.split(","))
    return Mishaps(requested=dict(_parse_part(part) for part in parts if part))


def without_marks(text: str) -> str:
    """Return `text` without its marks."""
    return _MARK.sub("", text).strip()


def _parse_part(part: str) -> tuple[str, str]:
    name, _, argument = (piece.strip() for piece in part.partition("="))
    mishap = MISHAPS.get(name)
    if mishap is None:
        raise UnknownMishap(f"'{name}' is not a mishap; GET / lists them.")
    value = argument or mishap.default
    if not _fits(mishap.argument, value):
        raise UnknownMishap(
            f"The argument of '{name}' is '{argument}'; its kind must be {mishap.argument}."
        )
    if mishap.choices and value not in mishap.choices:
        raise UnknownMishap(
            f"The argument of '{name}' is '{value}'; use {', '.join(mishap.choices)}."
        )
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
