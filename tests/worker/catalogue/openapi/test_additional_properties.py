"""Undeclared inputs and members are accepted if the description allows them."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.factories.openapi import of, read, taking
from worker.catalogue.errors import InvalidArguments

SIZE = {"type": "object", "properties": {"width": {"type": "integer"}}, "required": ["width"]}
ANY = [True, {}]


@pytest.mark.parametrize("further", ANY)
def test_an_object_may_accept_any_member(tmp_path: Path, further: object) -> None:
    """Undeclared members reach fal unchanged; declared ones are validated."""
    model = of(tmp_path, **SIZE, additionalProperties=further)
    given = {"given": {"width": 3, "depth": {"of": [1, None]}}}
    assert given == model.check(given)
    assert "an object with width and any other members" == model.inputs[0].allowed
    with pytest.raises(InvalidArguments, match=r"given\.width"):
        model.check({"given": {"depth": 3}})


@pytest.mark.parametrize("further", [{}, {"additionalProperties": False}])
def test_an_object_that_says_nothing_takes_no_other(tmp_path: Path, further: Any) -> None:
    """A misspelt member is rejected by name."""
    model = of(tmp_path, **SIZE, **further)
    with pytest.raises(InvalidArguments, match=r"given\.depth .*: is not an input"):
        model.check({"given": {"width": 3, "depth": 3}})


def test_undeclared_members_fit_the_schema_for_them(tmp_path: Path) -> None:
    """A schema in place of true applies to the value of every undeclared member."""
    model = of(tmp_path, **SIZE, additionalProperties={"type": "string"})
    good = {"given": {"width": 3, "depth": "x"}}
    assert good == model.check(good)
    with pytest.raises(InvalidArguments, match=r"given\.depth 3: must be a string"):
        model.check({"given": {"width": 3, "depth": 3}})


def test_an_endpoint_may_accept_any_input(tmp_path: Path) -> None:
    """Any JSON is accepted except a callback URL, which fal would ignore."""
    model = read(tmp_path, taking({"given": SIZE}, additionalProperties=True))
    good = {"zoom": 3, "\x7e": None, "given": {"width": 1}, "model_dump": "a"}
    assert good == model.check(good)
    with pytest.raises(InvalidArguments, match="falhook creates the callback URL"):
        model.check({"webhook_url": "https://a.b/c"})


@pytest.mark.parametrize(
    "more",
    [{"zoom": float("nan")}, {"zoom": {1}}, {"zo\ud800om": 1}, {"\x000": 1}, {"zoom": "\udc80"}],
)
def test_undeclared_members_must_be_json(tmp_path: Path, more: Any) -> None:
    """Names and values are checked, and the error is printable."""
    model = of(tmp_path, **SIZE, additionalProperties=True)
    with pytest.raises(InvalidArguments) as caught:
        model.check({"given": {"width": 1, **more}})
    (problem,) = caught.value.problems
    assert problem.path.startswith("given")
    assert str(problem).isprintable()


def test_generated_field_names_do_not_clash(tmp_path: Path) -> None:
    """A member keeps its name, whatever that is."""
    model = of(tmp_path, **SIZE | {"required": []}, additionalProperties=True)
    given = {"given": {"input_0": 3}}
    assert given == json.loads(json.dumps(model.check(given)))
