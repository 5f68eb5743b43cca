"""The text of API keys: its form, its checksum, and that it is not shown by accident."""

import random
from zlib import crc32

import pytest

from worker.api_keys.token import ALPHABET, Token

TOKEN = Token.make(random.Random(7).choice)


def test_the_form() -> None:
    """`fhk_`, 30 letters and digits, then their CRC-32 in base 62, which other programs compute."""
    prefix, rest = TOKEN.text[:4], TOKEN.text[4:]
    checksum = 0
    for digit in rest[30:]:
        checksum = checksum * 62 + ALPHABET.index(digit)
    assert ("fhk_", 36, crc32(rest[:30].encode())) == (prefix, len(rest), checksum)
    assert TOKEN.text[4:12] == TOKEN.id


def test_each_is_new() -> None:
    """Without an argument the letters come from the system's random numbers."""
    assert 100 == len({Token.make().text for _ in range(100)})


def test_a_token_is_recognised() -> None:
    """What was made can be parsed."""
    tokens = [Token.make(random.Random(seed).choice) for seed in range(100)]
    assert tokens == [Token.parse(token.text) for token in tokens]


@pytest.mark.parametrize("at", range(len(TOKEN.text)))
def test_a_typing_error_is_found(at: int) -> None:
    """Any other letter in any place has a wrong checksum or another form."""
    typed = [TOKEN.text[:at] + letter + TOKEN.text[at + 1 :] for letter in ALPHABET + "_"]
    assert {TOKEN.text} == {text for text in typed if Token.parse(text)}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fhk_",
        TOKEN.text[:-1],
        TOKEN.text + "0",
        f"{TOKEN.text}\n",
        f" {TOKEN.text}",
        TOKEN.text.upper(),
        TOKEN.text.replace("fhk_", "ghp_"),
        TOKEN.text[:-1] + "\N{FULLWIDTH DIGIT ONE}",
    ],
)
def test_another_form_is_none(text: str) -> None:
    """Nothing is cut off, stripped or folded."""
    assert Token.parse(text) is None


def test_it_is_hidden() -> None:
    """What Python prints of a token has its public id only."""
    for shown in (repr(TOKEN), str(TOKEN), f"{TOKEN}", repr([TOKEN])):
        assert (False, True) == (TOKEN.text in shown, TOKEN.id in shown)
