"""JSON that fal sent, read as data: what JSON cannot express is null, never an error.

fal's models are Python programs, whose `json` also writes NaN and Infinity
(https://www.rfc-editor.org/rfc/rfc8259#section-6 has neither). A result was paid for, so one such
number must not make all of it unreadable.
"""

import json
import math

from worker.types import Json

# Levels of a result. Python's own limit depends on the stack, and what is read must be written
# again: into the record, the manifest and the scripts of Redis.
MAX_DEPTH = 200
# Digits of an integer that Python reads: sys.set_int_max_str_digits.
_MAX_DIGITS = 4_000


def parse_lenient(text: bytes | str) -> Json:
    """Return the JSON value, with null for numbers that JSON or Python cannot express.

    Raises ValueError for anything that is not JSON, or nests more than MAX_DEPTH levels.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8-sig", "replace")
    try:
        value: Json = json.loads(
            text, parse_constant=lambda _name: None, parse_float=_finite, parse_int=_whole
        )
    except RecursionError:
        raise ValueError("it nests too deeply") from None
    if _depth(value) > MAX_DEPTH:
        raise ValueError("it nests too deeply")
    return value


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _whole(text: str) -> int | None:
    return int(text) if len(text) <= _MAX_DIGITS else None


def _depth(value: Json) -> int:
    level: list[Json] = [value]
    depth = 0
    while level and depth <= MAX_DEPTH:
        depth += 1
        level = [
            member
            for container in level
            if isinstance(container, dict | list)
            for member in (container.values() if isinstance(container, dict) else container)
        ]
    return depth
