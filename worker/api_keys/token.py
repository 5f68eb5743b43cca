"""The text of an API key: `fhk_`, 30 random letters and digits, and 6 of a checksum over them.

The checksum tells a typing error, or a text that only looks like a key, without a request:
https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/
"""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self
from zlib import crc32

PREFIX = "fhk_"
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# Letters and digits at random (178 bits), of the checksum, and of the public id. The id is the
# beginning of the random part; the rest has 131 bits.
RANDOM, CHECKSUM, ID = 30, 6, 8
_FORM = re.compile(rf"{PREFIX}([0-9A-Za-z]{{{RANDOM}}})([0-9A-Za-z]{{{CHECKSUM}}})")


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """The secret text of a key, which `repr` and `str` hide."""

    text: str

    @classmethod
    def make(cls, choose: Callable[[str], str] = secrets.choice) -> Self:
        """Return a new token; `choose` returns one of the letters, each with equal odds."""
        random = "".join(choose(ALPHABET) for _ in range(RANDOM))
        return cls(f"{PREFIX}{random}{_checksum(random)}")

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the token in a text; None if it has another form or a wrong checksum."""
        match = _FORM.fullmatch(text)
        return cls(text) if match and _checksum(match[1]) == match[2] else None

    @property
    def id(self) -> str:
        """The public name of the key, from which its token cannot be found."""
        return self.text[len(PREFIX) :][:ID]

    def __repr__(self) -> str:
        return f"Token({self.id}…)"


def _checksum(random: str) -> str:
    rest, digits = crc32(random.encode()), ""
    for _ in range(CHECKSUM):
        rest, digit = divmod(rest, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
