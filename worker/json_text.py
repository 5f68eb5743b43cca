"""JSON that people and programs wrote, read without losing any of it."""

import json
from collections.abc import Sequence

from worker.text import visible


class NotJson(ValueError):
    """This text is no JSON that can be used; the message completes "… is"."""


class UnusableJson(NotJson):
    """This is JSON, but reading it would lose some of it."""


def read(text: str) -> object:
    """The value of the text. Raises NotJson, also for what Python's reader would pass or drop."""
    try:
        return json.loads(text, object_pairs_hook=_object)
    except RecursionError:
        raise NotJson("JSON that nests too deeply") from None
    except json.JSONDecodeError as error:
        line = f"line {error.lineno}, " if "\n" in text.strip() else ""
        raise NotJson(f"not JSON: {error.msg} at {line}character {error.colno}") from None
    except NotJson:
        raise
    except ValueError as error:
        # An integer of more digits than Python reads.
        raise NotJson(f"not JSON: {error}") from None


def _object(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        told = f'"{visible(name[:_LONGEST])}{"…" * (len(name) > _LONGEST)}"'
        if name in found:
            # https://www.rfc-editor.org/rfc/rfc8259#section-4 : readers take one of them.
            raise UnusableJson(f"JSON that holds {told} twice in one object; leave one out")
        if any("\ud800" <= letter <= "\udfff" for letter in name):
            raise UnusableJson(f"JSON whose name {told} holds half a character (a lone surrogate)")
        found[name] = value
    return found


_LONGEST = 40
