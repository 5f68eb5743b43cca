"""Text that others wrote, fit for a terminal."""

import re

# Control characters steer terminals (ECMA-48), those of direction (UAX #9) turn what is read, and
# lone surrogates cannot be written.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
_UNSEEN_IN_LINES = re.compile(_UNSEEN.pattern.replace(r"\x00-\x1f", r"\x00-\x09\x0b-\x1f"))


def visible(text: str, *, lines: bool = False) -> str:
    """The text, what a terminal does not show as JSON would escape it; with `lines` they stay."""
    unseen = _UNSEEN_IN_LINES if lines else _UNSEEN
    return unseen.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
