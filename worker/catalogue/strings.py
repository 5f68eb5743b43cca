"""What values fal can be sent: words that JSON can carry, lengths and choices that it takes."""

import json
import re

from pydantic_core import PydanticCustomError

INT64 = 2**63
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
# A file in our storage that the submit step uploads; see worker/staging.py.
STAGED = re.compile(r"upload://([0-9a-f]{64}\.[a-z0-9]{3,4})")


def as_seconds(value: object) -> object:
    """A whole number as the string that fal wants; everything else as it is."""
    match value:
        case bool():
            return value
        case int() | float() if 0 < value < INT64 and int(value) == value:
            return str(int(value))
        case _:
            return value


def as_json(value: object) -> object:
    """Whatever JSON in UTF-8 can carry, as it is."""
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError):
        raise PydanticCustomError(
            "not_json",
            "must be text, finite numbers, true, false, null, lists and objects of these",
        ) from None
    return value


def encodable(value: str) -> str:
    if found := _UNPRINTABLE.search(value):
        raise PydanticCustomError(
            "unprintable",
            "must not hold the control character or lone surrogate {code} (at position {at})",
            {"code": f"U+{ord(found[0]):04X}", "at": found.start()},
        )
    return value


def filled(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("empty", "must not be empty")
    return value


def one_of(choices: tuple[object, ...], value: object) -> object:
    """The value, where it is among the choices; told in the words of the input."""
    if value not in choices:
        raise PydanticCustomError("not_chosen", "must be one of the choices")
    return value
