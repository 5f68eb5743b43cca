"""The body of a request: bounded while it is read, and strict JSON."""

import json
import math
from typing import Any

from starlette.requests import Request

from api.problems import ProblemError

# Inputs of endpoints nest less deeply, and readers recurse.
_DEEPEST = 64


async def read_body(request: Request, most: int) -> bytes:
    """Return the whole body, of at most `most` bytes. Raises ProblemError."""
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length[:15]) > most:
        raise _too_large(most)
    body = bytearray()
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ProblemError("bad_request", "the connection ended within the body")
        body += message.get("body", b"")
        if len(body) > most:
            raise _too_large(most)
        if not message.get("more_body"):
            return bytes(body)


def _too_large(most: int) -> ProblemError:
    detail = f"the body may have at most {most:,} bytes; large files go to POST /v1/uploads"
    return ProblemError("too_large", detail, headers={"Connection": "close"})


def media_type(request: Request) -> str:
    """Return the media type of the body without its parameters; "" if it is not said."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def require_json(request: Request) -> None:
    """Return if the body is said to be JSON. Raises ProblemError."""
    if media_type(request) != "application/json":
        raise ProblemError("unsupported_media_type", "send Content-Type: application/json")


def parse_json(body: bytes) -> Any:
    """Return the value of strict JSON: UTF-8, no name twice, no NaN. Raises ProblemError."""
    try:
        value = _reader.decode(body.decode())
    except UnicodeDecodeError:
        raise ProblemError("bad_json", "the body is not UTF-8") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ProblemError("bad_json", f"the body is not JSON: {error.msg} at {place}") from None
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, _NotStrict) else "a number or a nesting too large"
        raise ProblemError("bad_json", f"the body is not strict JSON: {reason}") from None
    if _depth_exceeds(value, _DEEPEST):
        raise ProblemError("bad_json", f"the body nests deeper than {_DEEPEST} levels")
    return value


class _NotStrict(ValueError):
    """JSON that readers disagree about."""


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise _NotStrict("an object has a name twice")
    return content


def _no_constant(text: str) -> None:
    raise _NotStrict(f"{text} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _NotStrict("a number is too large")
    return number


_reader = json.JSONDecoder(
    parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_unique
)


def _depth_exceeds(value: object, most: int) -> bool:
    level = [value]
    for _ in range(most):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return False
    return True
