"""What the catalogue refuses before it costs money.

Permanent
└── Refusal
    ├── UnknownEndpoint     no such endpoint in the catalogue
    ├── WithdrawnEndpoint   fal has taken it away
    ├── UnknownSchema       announced; nobody knows its inputs yet
    ├── InvalidArguments    the inputs do not fit, with every problem at once
    └── BrokenCatalogue     the catalogue's own data does not hold together
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from worker.errors import Permanent


class RequestRejected(Permanent):
    """The catalogue says no; `str()` is what a person reads, without the reason's word.

    `problems` are the single things that are wrong, where there are such.
    """

    problems: tuple["InputProblem", ...] = ()

    def __str__(self) -> str:
        return self.sentence


class UnknownEndpoint(RequestRejected):
    """No such endpoint; `nearest` are the ids most like it, best first.

    Where it is a part of so many ids that none is meant, `holding` is their number.
    """

    def __init__(self, endpoint: str, nearest: Sequence[str], holding: int = 0) -> None:
        cure = f"did you mean {' or '.join(nearest)}? " if nearest else ""
        cure += "`falhook models` lists all"
        if holding:
            cure, nearest = f"`falhook models {endpoint}` lists the {holding} that hold it", ()
        super().__init__("unknown_endpoint", f"{shown(endpoint)} is not in the catalogue: {cure}")
        self.endpoint = endpoint
        self.nearest = tuple(nearest)


class WithdrawnEndpoint(RequestRejected):
    """fal serves it no more; `replaced_by` takes its place, where one does."""

    def __init__(self, endpoint: str, replaced_by: str) -> None:
        cure = f"use {replaced_by}" if replaced_by else "`falhook models` lists the others"
        super().__init__("withdrawn_endpoint", f"{endpoint} was withdrawn by fal: {cure}")


class UnknownSchema(RequestRejected):
    """The endpoint is announced, but its inputs are not known, so nothing can be checked."""

    def __init__(self, endpoint: str) -> None:
        super().__init__("unknown_schema", f"{endpoint} is announced, but no schema is known yet")


class BrokenCatalogue(RequestRejected):
    """A file of the catalogue does not hold together; the sentence names file and key."""

    def __init__(self, sentence: str) -> None:
        super().__init__("broken_catalogue", sentence)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputProblem:
    """One thing wrong with the arguments.

    `path` is where (`multi_prompt[0].duration`), `value` what stood there, shortened and never
    the words of a prompt, `message` what holds instead, `hint` the cure where one is known.
    """

    path: str
    value: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        value = f" {self.value}" if self.value else ""
        return f"{self.path}{value}: {self.message}" + (f"; {self.hint}" if self.hint else "")


_PROBLEMS_TOLD = 40


class InvalidArguments(RequestRejected):
    """The arguments do not fit the endpoint; `problems` holds all that is wrong with them."""

    def __init__(self, endpoint: str, problems: Sequence[InputProblem]) -> None:
        lines = "".join(f"\n  {problem}" for problem in problems[:_PROBLEMS_TOLD])
        beyond = len(problems) - _PROBLEMS_TOLD
        lines += f"\n  and {beyond:,} more" if beyond > 0 else ""
        super().__init__("invalid_arguments", f"{endpoint} cannot take these inputs:{lines}")
        self.endpoint = endpoint
        self.problems = tuple(problems)


_LONGEST, _LONGEST_WITH_SPACES = 40, 12
_BITS_SHOWN = 64
_CREDENTIALS = re.compile(r"//[^/@\s]*@")


def shown(value: object, *, words: bool = False) -> str:
    """The value as an error may show it: short, printable, without credentials or query.

    With `words` it is something a person wrote, and only its length is told.
    """
    match value:
        case str():
            return _length(value) if words else _short(value)
        case int() if value.bit_length() > _BITS_SHOWN:
            return f"(an integer of {value.bit_length():,} bits)"
        case None | bool() | int() | float():
            return json.dumps(value)
        case list() | tuple():
            return f"(a list of {len(value):,})"
        case _:
            return "(an object)" if isinstance(value, Mapping) else f"(a {type(value).__name__})"


def _length(words: str) -> str:
    return f"({len(words):,} character{'s' * (len(words) != 1)})"


def _short(value: str) -> str:
    visible = _CREDENTIALS.sub("//…@", value[:200].partition("?")[0])
    limit = _LONGEST_WITH_SPACES if " " in visible else _LONGEST
    cut = visible[:limit] + "…" * (len(visible) > limit or len(visible) < len(value))
    quoted = json.dumps(cut, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in quoted)
