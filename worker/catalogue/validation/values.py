"""Validators of single values: text and JSON that can be encoded, seconds and choices."""

import json
import re
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

INT64 = 2**63
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
# PEP 383: how Python decodes the bytes 0x80 to 0xFF of a command line that is not UTF-8.
_ESCAPED_BYTES = range(0xDC80, 0xDD00)
# A file in our storage that the submit step uploads: see worker/operations/staging.py.
STAGED = re.compile(r"upload://([0-9a-f]{64}\.[a-z0-9]{3,4})")


def as_seconds(value: object) -> object:
    """Return a whole number as the string that fal requires; anything else unchanged."""
    match value:
        case bool():
            return value
        case int() | float() if 0 < value < INT64 and int(value) == value:
            return str(int(value))
        case _:
            return value


def as_json(value: object) -> object:
    """Return the value unchanged if JSON in UTF-8 can carry it, or raise PydanticCustomError."""
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError):
        raise PydanticCustomError(
            "not_json",
            "must be JSON: strings, finite numbers, true, false, null, lists or objects of these",
        ) from None
    return value


def encodable(value: object) -> object:
    """Return the value unchanged; raise PydanticCustomError for text with unprintable characters.

    These are lone surrogates, which UTF-8 cannot carry, and control characters.
    """
    if not isinstance(value, str) or not (match := _UNPRINTABLE.search(value)):
        return value
    code, at = ord(match[0]), match.start()
    if code in _ESCAPED_BYTES:
        raise PydanticCustomError(
            "unprintable",
            "must be UTF-8; the byte {byte} at position {at} is not",
            {"byte": f"0x{code - _ESCAPED_BYTES.start + 0x80:02X}", "at": at},
        )
    raise PydanticCustomError(
        "unprintable",
        "must not contain the control character or lone surrogate {code} at position {at}",
        {"code": f"U+{code:04X}", "at": at},
    )


def not_blank(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("empty", "must not be empty")
    return value


def one_of(choices: tuple[object, ...], value: object) -> object:
    """Return the value if it is one of the choices, or raise PydanticCustomError."""
    if value not in choices:
        raise PydanticCustomError("not_chosen", "must be one of the choices")
    return value


class Closed(BaseModel):
    """A model that accepts declared names only."""

    model_config = ConfigDict(extra="forbid")


class Open(BaseModel):
    """A model that also accepts undeclared names, if JSON can carry their names and values."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Annotated[object, AfterValidator(as_json)]]

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        for name in self.__pydantic_extra__:
            encodable(name)
        return self
