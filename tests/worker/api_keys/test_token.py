"""The text of API keys: its form, its checksum, and that it is not shown by accident."""

import random
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@given(st.randoms(use_true_random=False))
def test_a_token_is_recognised(source: random.Random) -> None:
    """What was made can be parsed."""
    token = Token.make(source.choice)
    assert token == Token.parse(token.text)


@given(at=st.integers(0, len(TOKEN.text) - 1), letter=st.sampled_from(ALPHABET))
def test_a_typing_error_is_found(at: int, letter: str) -> None:
    """Any other letter in any place has a wrong checksum or another form."""
    text = TOKEN.text[:at] + letter + TOKEN.text[at + 1 :]
    assert (text == TOKEN.text) == (Token.parse(text) is not None)


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
