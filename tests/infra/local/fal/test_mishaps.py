"""The table of mishaps, and how a request asks for them."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.fal.mishap_table import MISHAPS, help_text
from infra.local.fal.mishaps import Mishaps, UnknownMishap, parse


def test_every_mishap_is_exercised_by_a_test() -> None:
    """Each name in the table stands in a test that runs the simulation."""
    own = Path(__file__)
    files = [path for path in own.parent.rglob("test_*.py") if path != own]
    words = set(re.findall(r"[\w-]+", " ".join(path.read_text() for path in files)))
    assert set() == set(MISHAPS) - words


def test_header_and_marks_are_read_together() -> None:
    """A header and marks in any string of the input all count, with arguments and defaults."""
    body = {
        "prompt": "a [[sim: callback-many=3]] b",
        "multi_prompt": [{"prompt": "[[sim:cdn-404]]"}],
    }
    asked = parse(" callback-twice , answer-slow ", body).asked
    expected = {"callback-twice": "", "answer-slow": "600", "callback-many": "3", "cdn-404": ""}
    assert expected == asked


@pytest.mark.parametrize(
    "wish",
    [
        "no-such",
        "callback-many=x",
        "wrong-key=1",
        "answer-slow=soon",
        "file-hostile=cat",
        "times=-1",
    ],
)
def test_a_wish_that_cannot_be_met_is_refused_by_name(wish: str) -> None:
    """A typing error is named instead of being ignored."""
    with pytest.raises(UnknownMishap, match=wish.partition("=")[0]):
        parse(wish, None)


@pytest.mark.parametrize(
    ("asked", "struck"),
    [("cdn-cut", 3), ("cdn-cut=2", 2), ("cdn-cut, times=1", 1), ("wrong-key, times=2", 2), ("", 0)],
)
def test_a_mishap_strikes_as_often_as_asked(asked: str, struck: int) -> None:
    """Without a number a mishap happens every time, else only the first times."""
    mishaps = parse(asked, None)
    name = asked.partition(",")[0].partition("=")[0] or "cdn-cut"
    assert struck == sum(mishaps.strikes(name, nth) for nth in (1, 2, 3))


def test_the_help_has_a_line_for_each_mishap() -> None:
    """The help names every mishap once, and its sentence begins in the same column of each line."""
    lines = help_text().splitlines()
    assert list(MISHAPS) == [re.split(r"[\s\[]", line.strip())[0] for line in lines]
    pairs = list(zip(lines, MISHAPS.values(), strict=True))
    assert 1 == len({line.index(mishap.sentence) for line, mishap in pairs})
    assert [] == [line for line, mishap in pairs if f"  {mishap.sentence}" not in line]


_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(header=st.text(), body=_json)
def test_any_input_is_parsed_or_refused(header: str, body: object) -> None:
    """Parsing ends in known mishaps or in the one error, whatever comes."""
    try:
        asked = parse(header, body)
    except UnknownMishap:
        return
    assert set(asked.asked) <= set(MISHAPS)


def test_no_wish_is_no_mishap() -> None:
    """A plain job has no mishaps."""
    assert Mishaps() == parse("", {"prompt": "a heron [[at]] dawn"})
