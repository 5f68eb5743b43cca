"""What values fal can be sent: words that JSON can carry, lengths and choices that it takes."""

import json
import re
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

INT64 = 2**63
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
# PEP 383: what Python makes of the bytes 0x80 to 0xFF of a command line that is not UTF-8.
_BYTES = range(0xDC80, 0xDD00)
# A file in our storage that the submit step uploads; see worker/operations/staging.py.
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


def encodable(value: object) -> object:
    """The value, which is no text, or one that UTF-8 can carry and that steers no terminal."""
    if not isinstance(value, str) or not (found := _UNPRINTABLE.search(value)):
        return value
    code, at = ord(found[0]), found.start()
    if code in _BYTES:
        raise PydanticCustomError(
            "unprintable",
            "must be UTF-8, which the byte {byte} (at position {at}) is not",
            {"byte": f"0x{code - _BYTES.start + 0x80:02X}", "at": at},
        )
    raise PydanticCustomError(
        "unprintable",
        "must not hold the control character or lone surrogate {code} (at position {at})",
        {"code": f"U+{code:04X}", "at": at},
    )


def filled(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("empty", "must not be empty")
    return value


def one_of(choices: tuple[object, ...], value: object) -> object:
    """The value, where it is among the choices; told in the words of the input."""
    if value not in choices:
        raise PydanticCustomError("not_chosen", "must be one of the choices")
    return value


class Closed(BaseModel):
    """Takes what is declared alone."""

    model_config = ConfigDict(extra="forbid")


class Open(BaseModel):
    """Takes any others as well, with names and values that JSON can carry."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Annotated[object, AfterValidator(as_json)]]

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        for name in self.__pydantic_extra__:
            encodable(name)
        return self
