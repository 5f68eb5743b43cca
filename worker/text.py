"""Text that others wrote, fit for a terminal."""

import json
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

# Control characters steer terminals (ECMA-48), those of direction (UAX #9) turn what is read, and
# lone surrogates cannot be written.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
_UNSEEN_IN_LINES = re.compile(_UNSEEN.pattern.replace(r"\x00-\x1f", r"\x00-\x09\x0b-\x1f"))
_LONGEST = 40
# More lines than a refusal of inputs has, which tells of 40 problems and the number of others.
LINES, LONGEST_LINE = 50, 400


def printable(text: str, *, lines: bool = False) -> str:
    """The text, what a terminal does not show as JSON would escape it; with `lines` they stay."""
    unseen = _UNSEEN_IN_LINES if lines else _UNSEEN
    return unseen.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


class InvalidJson(ValueError):
    """This text is no JSON that can be used; the message completes "… is"."""


class UnusableJson(InvalidJson):
    """This is JSON, but reading it would lose some of it."""


def parse_json(text: str) -> object:
    """Parse JSON strictly. Raises InvalidJson, also where Python's own reader drops something."""
    try:
        return json.loads(text, object_pairs_hook=_object)
    except RecursionError:
        raise InvalidJson("JSON that nests too deeply") from None
    except json.JSONDecodeError as error:
        line = f"line {error.lineno}, " if "\n" in text.strip() else ""
        raise InvalidJson(f"not JSON: {error.msg} at {line}character {error.colno}") from None
    except InvalidJson:
        raise
    except ValueError as error:
        # An integer of more digits than Python reads.
        raise InvalidJson(f"not JSON: {error}") from None


def _object(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        told = f'"{printable(name[:_LONGEST])}{"…" * (len(name) > _LONGEST)}"'
        if name in found:
            # https://www.rfc-editor.org/rfc/rfc8259#section-4 : readers take one of them.
            raise UnusableJson(f"JSON that holds {told} twice in one object; leave one out")
        if any("\ud800" <= letter <= "\udfff" for letter in name):
            raise UnusableJson(f"JSON whose name {told} holds half a character (a lone surrogate)")
        found[name] = value
    return found


def shorten_lines(sentence: str) -> str:
    """The first LINES lines and the number of the others, each of LONGEST_LINE characters at most.

    Afterwards Redis, JSON and terminals can take it: see `visible`.
    """
    lines = sentence.split("\n")
    told = [shorten(line, LONGEST_LINE) for line in lines[:LINES]]
    beyond = len(lines) - LINES
    return "\n".join([*told, f"  and {beyond:,} more"] if beyond > 0 else told)


def shorten(text: str, longest: int) -> str:
    """The text as it can be shown, at most the first `longest` characters and an ellipsis."""
    told = printable(text)
    return told[:longest] + "…" * (len(told) > longest)


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the known name most like `name`; None if no name reaches the similarity `cutoff`."""
    return next(iter(get_close_matches(name, known, n=1, cutoff=cutoff)), None)
