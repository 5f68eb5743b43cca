"""The table of mishaps, and their parsing."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.fal.mishap_table import MISHAPS, help_text
from infra.local.fal.mishaps import Mishaps, UnknownMishap, parse


def test_every_mishap_is_exercised_by_a_test() -> None:
    """Each name in the table appears in a test that runs the simulation."""
    this_file = Path(__file__)
    files = [path for path in this_file.parent.rglob("test_*.py") if path != this_file]
    words = set(re.findall(r"[\w-]+", " ".join(path.read_text() for path in files)))
    assert set() == set(MISHAPS) - words


def test_header_and_marks_are_combined() -> None:
    """Mishaps come from the header and from marks in any string, with arguments or defaults."""
    body = {
        "prompt": "a [[sim: callback-many=3]] b",
        "multi_prompt": [{"prompt": "[[sim:cdn-404]]"}],
    }
    requested = parse(" callback-twice , answer-slow ", body).requested
    expected = {"callback-twice": "", "answer-slow": "600", "callback-many": "3", "cdn-404": ""}
    assert expected == requested


@pytest.mark.parametrize(
    "mishap",
    [
        "no-such",
        "callback-many=x",
        "wrong-key=1",
        "answer-slow=soon",
        "file-hostile=cat",
        "times=-1",
    ],
)
def test_an_invalid_mishap_is_refused_by_name(mishap: str) -> None:
    """The error names the mishap, which is not ignored."""
    with pytest.raises(UnknownMishap, match=mishap.partition("=")[0]):
        parse(mishap, None)


@pytest.mark.parametrize(
    ("requested", "count"),
    [("cdn-cut", 3), ("cdn-cut=2", 2), ("cdn-cut, times=1", 1), ("wrong-key, times=2", 2), ("", 0)],
)
def test_a_mishap_applies_as_often_as_requested(requested: str, count: int) -> None:
    """A mishap applies every time, or the first N times if a number is given."""
    mishaps = parse(requested, None)
    name = requested.partition(",")[0].partition("=")[0] or "cdn-cut"
    assert count == sum(mishaps.applies(name, nth) for nth in (1, 2, 3))


def test_the_help_has_a_line_for_each_mishap() -> None:
    """The help names every mishap once, with the sentences aligned in one column."""
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
    """Any input yields known mishaps or UnknownMishap."""
    try:
        mishaps = parse(header, body)
    except UnknownMishap:
        return
    assert set(mishaps.requested) <= set(MISHAPS)


def test_a_plain_job_has_no_mishaps() -> None:
    """Brackets alone are not a mark."""
    assert Mishaps() == parse("", {"prompt": "a heron [[at]] dawn"})
