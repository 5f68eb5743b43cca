"""Where a description takes inputs or members of any name, they are taken."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.factories.openapi import of, read, taking
from worker.catalogue.errors import InvalidArguments

SIZE = {"type": "object", "properties": {"width": {"type": "integer"}}, "required": ["width"]}
ANY = [True, {"type": "string"}, {}]


@pytest.mark.parametrize("further", ANY)
def test_an_object_that_takes_any_member_takes_them(tmp_path: Path, further: object) -> None:
    """They reach fal as they were given; the declared ones are checked as ever."""
    model = of(tmp_path, **SIZE, additionalProperties=further)
    given = {"given": {"width": 3, "depth": {"of": [1, None]}}}
    assert given == model.check(given)
    assert "an object with width and any others" == model.inputs[0].allowed
    with pytest.raises(InvalidArguments, match=r"given\.width"):
        model.check({"given": {"depth": 3}})


@pytest.mark.parametrize("further", [{}, {"additionalProperties": False}])
def test_an_object_that_says_nothing_takes_no_other(tmp_path: Path, further: Any) -> None:
    """As before: a misspelt member is refused by its name."""
    model = of(tmp_path, **SIZE, **further)
    with pytest.raises(InvalidArguments, match=r"given\.depth .*: is not an input"):
        model.check({"given": {"width": 3, "depth": 3}})


def test_a_schema_for_the_others_is_named(tmp_path: Path) -> None:
    """What they have to be is not checked."""
    told = [of(tmp_path, **SIZE, additionalProperties=further) for further in ANY]
    expected = [(), ("additionalProperties",), ()]
    assert expected == [model.inputs[0].unchecked for model in told]


def test_an_endpoint_may_take_inputs_of_any_name(tmp_path: Path) -> None:
    """All of what JSON can carry, but for a callback address, which fal would ignore."""
    model = read(tmp_path, taking({"given": SIZE}, additionalProperties=True))
    good = {"zoom": 3, "\x7e": None, "given": {"width": 1}, "model_dump": "a"}
    assert good == model.check(good)
    with pytest.raises(InvalidArguments, match="falhook mints the callback address"):
        model.check({"webhook_url": "https://a.b/c"})


@pytest.mark.parametrize(
    "more",
    [{"zoom": float("nan")}, {"zoom": {1}}, {"zo\ud800om": 1}, {"\x000": 1}, {"zoom": "\udc80"}],
)
def test_what_json_cannot_carry_is_refused_under_any_name(tmp_path: Path, more: Any) -> None:
    """In names and values alike, with a sentence that can be printed."""
    model = of(tmp_path, **SIZE, additionalProperties=True)
    with pytest.raises(InvalidArguments) as caught:
        model.check({"given": {"width": 1, **more}})
    (problem,) = caught.value.problems
    assert problem.path.startswith("given")
    assert str(problem).isprintable()


def test_a_name_of_ours_is_no_members(tmp_path: Path) -> None:
    """Whatever a member is called, nothing else appears in its place."""
    model = of(tmp_path, **SIZE | {"required": []}, additionalProperties=True)
    given = {"given": {"input_0": 3}}
    assert given == json.loads(json.dumps(model.check(given)))
