"""Text from others: shortened, escaped for terminals, parsed as strict JSON."""

import json
import re
from collections.abc import Iterable, Sequence

# Control characters steer terminals (ECMA-48), direction marks reorder what is read (UAX #9), and
# lone surrogates cannot be encoded.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
_UNPRINTABLE_IN_LINES = re.compile(
    _UNPRINTABLE.pattern.replace(r"\x00-\x1f", r"\x00-\x09\x0b-\x1f")
)
# A rejection of inputs lists 40 problems and the number of others, so it fits.
_MAX_LINES, _MAX_LINE_LENGTH = 50, 400
_MAX_NAME_LENGTH = 40


class InvalidJson(ValueError):
    """Text that is not usable as JSON; the message completes "… is"."""


class UnusableJson(InvalidJson):
    """JSON that cannot be read without losing some of it."""


def printable(text: str, *, lines: bool = False) -> str:
    r"""Escape control characters, direction marks and lone surrogates as `\uXXXX`.

    Newlines are kept if `lines` is set.
    """
    pattern = _UNPRINTABLE_IN_LINES if lines else _UNPRINTABLE
    return pattern.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def shorten(text: str, longest: int) -> str:
    """Return the printable text, cut to `longest` characters and an ellipsis if it is longer."""
    visible = printable(text)
    return visible[:longest] + "…" * (len(visible) > longest)


def shorten_lines(text: str) -> str:
    """Return the first 50 lines, each shortened to 400 characters, and the number of the others.

    The result is printable, so that Redis, JSON and terminals accept it.
    """
    lines = text.split("\n")
    shown = [shorten(line, _MAX_LINE_LENGTH) for line in lines[:_MAX_LINES]]
    beyond = len(lines) - _MAX_LINES
    return "\n".join([*shown, f"  and {beyond:,} more"] if beyond > 0 else shown)


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the known name most like `name`; None if no name reaches the similarity `cutoff`."""
    # Imported when a name is wrong: every command imports this module.
    from difflib import get_close_matches  # noqa: PLC0415

    return next(iter(get_close_matches(name, known, n=1, cutoff=cutoff)), None)


def parse_json(text: str) -> object:
    """Return the parsed JSON; unlike `json.loads`, never drop one of two equal names.

    Raises InvalidJson for text that is not JSON, UnusableJson for JSON that would lose a part.
    """
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
        # An integer with more digits than Python reads.
        raise InvalidJson(f"not JSON: {error}") from None


def _object(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    members: dict[str, object] = {}
    for name, value in pairs:
        quoted = f'"{shorten(name, _MAX_NAME_LENGTH)}"'
        if name in members:
            # https://www.rfc-editor.org/rfc/rfc8259#section-4 : readers keep one of them.
            raise UnusableJson(f"JSON with {quoted} twice in one object; remove one")
        if any("\ud800" <= letter <= "\udfff" for letter in name):
            raise UnusableJson(f"JSON with a lone surrogate (half a character) in {quoted}")
        members[name] = value
    return members
