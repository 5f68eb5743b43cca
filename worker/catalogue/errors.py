"""Requests that the catalogue rejects before they cost money.

Permanent
└── RequestRejected
    ├── UnknownEndpoint     the catalogue has no such endpoint
    ├── WithdrawnEndpoint   fal no longer serves it
    ├── UnknownSchema       fal has announced it without a schema
    ├── InvalidArguments    inputs are invalid; lists every problem
    └── BrokenCatalogue     a file of the catalogue is invalid
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from worker.errors import Permanent


class RequestRejected(Permanent):
    """A request that must not be sent; `str()` is the sentence without the reason code.

    `problems` lists the single problems, if the rejection has any.
    """

    problems: tuple["InputProblem", ...] = ()

    def __str__(self) -> str:
        return self.sentence


class UnknownEndpoint(RequestRejected):
    """An endpoint that is not in the catalogue; `nearest` are the most similar ids, best first.

    `matches` is the number of ids that contain it, if they are too many to suggest one.
    """

    def __init__(self, endpoint: str, nearest: Sequence[str], matches: int = 0) -> None:
        cure = f"did you mean {' or '.join(nearest)}? " if nearest else ""
        cure += "`falhook models` lists all"
        if matches:
            cure, nearest = f"`falhook models {endpoint}` lists the {matches} that contain it", ()
        super().__init__("unknown_endpoint", f"{shown(endpoint)} is not in the catalogue: {cure}")
        self.endpoint = endpoint
        self.nearest = tuple(nearest)


class WithdrawnEndpoint(RequestRejected):
    """An endpoint that fal no longer serves; `replaced_by` is its successor or "".

    By the day `since` fal did not serve it any more; None if that is not known.
    """

    def __init__(self, endpoint: str, replaced_by: str, since: date | None = None) -> None:
        cure = f"use {replaced_by}" if replaced_by else "`falhook models` lists the others"
        day = f" by {since}" if since else ""
        super().__init__("withdrawn_endpoint", f"{endpoint} was withdrawn by fal{day}: {cure}")


class UnknownSchema(RequestRejected):
    """An endpoint that fal has announced without a schema, so that inputs cannot be checked."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(
            "unknown_schema", f"{endpoint} is announced, but fal has published no schema yet"
        )


class BrokenCatalogue(RequestRejected):
    """An invalid file of the catalogue; the sentence names the file and the key."""

    def __init__(self, sentence: str) -> None:
        super().__init__("broken_catalogue", sentence)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputProblem:
    """One invalid input.

    `path` locates it (`multi_prompt[0].duration`). `value` is what was passed, shortened and never
    the text of a prompt. `message` is the requirement, `hint` the correction if one is known.
    """

    path: str
    value: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        value = f" {self.value}" if self.value else ""
        return f"{self.path}{value}: {self.message}" + (f"; {self.hint}" if self.hint else "")


_PROBLEMS_SHOWN = 40


class InvalidArguments(RequestRejected):
    """Arguments that the endpoint does not accept; `problems` lists everything that is wrong."""

    def __init__(self, endpoint: str, problems: Sequence[InputProblem]) -> None:
        lines = "".join(f"\n  {problem}" for problem in problems[:_PROBLEMS_SHOWN])
        beyond = len(problems) - _PROBLEMS_SHOWN
        lines += f"\n  and {beyond:,} more" if beyond > 0 else ""
        super().__init__("invalid_arguments", f"{endpoint} does not accept these inputs:{lines}")
        self.endpoint = endpoint
        self.problems = tuple(problems)


_LONGEST, _LONGEST_WITH_SPACES = 40, 12
_BITS_SHOWN = 64
_CREDENTIALS = re.compile(r"//[^/@\s]*@")


def shown(value: object, *, words: bool = False) -> str:
    """Return the value for an error message: short, printable, without credentials or query.

    With `words` a string may be a prompt, so only its length is shown.
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
