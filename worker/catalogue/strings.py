"""What strings fal can be sent: words that JSON can carry, addresses that it can fetch."""

import json
import re

from pydantic import AnyHttpUrl, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

INT64 = 2**63
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
# A file in our storage that the submit step uploads; see worker/staging.py.
STAGED = re.compile(r"upload://([0-9a-f]{64}\.[a-z0-9]{3,4})")
_DATA_URI = re.compile(r"data:[^,]*,.")
_WEB_ADDRESS = TypeAdapter(AnyHttpUrl)


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


def fetchable(max_length: int | None, value: str) -> str:
    """A URL that fal can fetch, or a data URI; `max_length` bounds web addresses alone."""
    scheme = value[:8].lower()
    if STAGED.fullmatch(value):
        return value
    if not value.isprintable() or (" " in value and not _looks_local(value)):
        raise PydanticCustomError("not_url", "must be a URL without spaces or line breaks")
    if scheme.startswith("data:"):
        if not _DATA_URI.match(value):
            raise PydanticCustomError("not_url", "must be a data URI with data after a comma")
    elif scheme.startswith(("http://", "https://")):
        _check_address(max_length, value)
    else:
        kind = "local" if _looks_local(value) else "not_url"
        raise PydanticCustomError(kind, "must be an http(s) URL or a data URI")
    return value


def _check_address(max_length: int | None, value: str) -> None:
    if max_length is not None and len(value) > max_length:
        raise PydanticCustomError(
            "url_too_long",
            "must be a URL of at most {most} characters, not {length}",
            {"most": f"{max_length:,}", "length": f"{len(value):,}"},
        )
    try:
        _WEB_ADDRESS.validate_python(value)
    except ValidationError as invalid:
        raise PydanticCustomError("not_url", "must be a URL with a valid host") from invalid


def _looks_local(value: str) -> bool:
    return value.startswith(("file:", "/", "./", "../", "~")) or "://" not in value
