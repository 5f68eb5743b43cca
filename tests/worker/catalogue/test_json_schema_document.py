"""The JSON Schema of an endpoint's arguments: it decides as `Endpoint.check` does."""

from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator

from tests.factories.catalogue import kling
from worker.catalogue.catalogue import Catalogue
from worker.catalogue.endpoint import Endpoint, Status
from worker.catalogue.errors import InvalidArguments
from worker.catalogue.inputs import Input, InputType
from worker.catalogue.json_schema_document import arguments_schema
from worker.catalogue.validation.json_schema import RequestSchema
from worker.catalogue.validation.rules import AtMost, SomeOf
from worker.catalogue.validation.sync_mode import sync_mode_problems

SERVED = [
    model
    for model in Catalogue.load().search()
    if model.current_status in {Status.LISTED, Status.DEPRECATED}
]
# One of every kind of input and rule, of which the catalogue has no example.
ODD = Endpoint(
    endpoint="acme/odd",
    inputs=(
        Input(name="strength", kind=InputType.NUMBER, exclusive_minimum=0, maximum=1),
        Input(name="steps", kind=InputType.INTEGER, minimum=1.5, exclusive_maximum=9),
        Input(name="size", kind=InputType.INTEGER, choices=(256, 512)),
        Input(name="seconds", kind=InputType.SECONDS),
        Input(name="title", kind=InputType.STRING, required=True, min_length=2, max_length=5),
        Input(name="clip", kind=InputType.URL, formats=("mp4",), max_length=60),
        Input(name="one", kind=InputType.OBJECT, nested=(Input(name="a", kind=InputType.STRING),)),
        Input(name="tags", kind=InputType.STRING, many=True, min_items=1, max_items=2),
        Input(name="free", kind=InputType.ANY),
        Input(name="open", kind=InputType.OBJECT, additional=True),
        Input(name="sync_mode", kind=InputType.BOOLEAN),
        Input(
            name="parts",
            kind=InputType.OBJECT,
            many=True,
            nested=(
                Input(name="u", kind=InputType.STRING),
                Input(name="v", kind=InputType.STRING, many=True),
            ),
        ),
    ),
    rules=(
        SomeOf(each="one", some_of=("a",)),
        SomeOf(each="parts", some_of=("u", "v")),
        AtMost(at_most=0, of=("size",), when="tags"),
        AtMost(at_most=1, of=("parts[].u",)),
    ),
    additional=True,
)
STAGED = f"upload://{'a' * 64}"
ADDRESSES = st.sampled_from(
    ["https://example.com/a.png", "data:image/png;base64,AAAA", "HTTP://a.org/?q=%20"]
    + [f"{STAGED}.{extension}" for extension in ("png", "jpg", "mp4", "mov", "mp3", "wav", "zip")]
)
JUNK = st.sampled_from([None, True, 0, -1, 1.5, "", " ", "nonsense", [], {}, [None], {"nope": 1}])


@cache
def validator(model: Endpoint) -> Draft202012Validator:
    """Return the validator of the endpoint's schema, which is a valid one."""
    return Draft202012Validator(arguments_schema(model))


def valid(item: Input) -> st.SearchStrategy[Any]:
    """Return values that the input mostly accepts."""
    single = _valid(item)
    if not item.many:
        return single
    return st.lists(single, min_size=(item.min_items or 1) - 1, max_size=(item.max_items or 5) + 1)


def _valid(item: Input) -> st.SearchStrategy[Any]:
    if item.choices and item.kind is InputType.STRING:
        return st.sampled_from(item.choices)
    counted = item.kind is InputType.SECONDS
    seconds: list[Any] = [int(choice) for choice in item.choices if counted] or [1, 9999, 10_000]
    seconds += [*map(str, seconds), *map(float, seconds)]
    length = item.max_length or 9
    words = st.sampled_from(["a cat", "ok", "a" * length, "a" * (item.min_length or 1)])
    return {
        InputType.TEXT: words,
        InputType.STRING: words,
        InputType.URL: ADDRESSES,
        InputType.SECONDS: st.sampled_from(seconds),
        InputType.INTEGER: st.deferred(lambda: st.sampled_from(_ends(item))),
        InputType.NUMBER: st.deferred(lambda: st.sampled_from(_ends(item))),
        InputType.BOOLEAN: st.booleans(),
        InputType.OBJECT: st.deferred(lambda: members(item.nested)),
        InputType.ANY: JUNK,
    }[item.kind]


def _ends(item: Input) -> list[float]:
    """Return numbers at and beyond the bounds; none is a whole number written as a fraction."""
    bounds = [item.minimum, item.maximum, item.exclusive_minimum, item.exclusive_maximum]
    ends = [end for end in bounds if end is not None] or [1]
    near = [number for end in ends for number in (end - 1, end, end + 1, end + 0.5)]
    numbers = [int(n) if float(n).is_integer() else n for n in (*near, *_numbers(item.choices))]
    return numbers + [2**63 - 1, 2**63] * (item.kind is InputType.INTEGER)


def _numbers(choices: tuple[str | float, ...]) -> list[float]:
    return [float(choice) for choice in choices]


def odd(item: Input) -> st.SearchStrategy[Any]:
    """Return values that the input mostly refuses."""
    texts = [
        "\u00a0",
        "a\nb",
        "a\x07",
        "a\x85b",
        "a" * ((item.max_length or 8) + 1),
        "05",
        "0",
        "10000",
    ]
    addresses = ["ftp://a.org/x", "https:///x", "https://a.org/a b", "data:,", "DATA:image/png,A"]
    addresses += [f"{STAGED}.exe", f"{STAGED[:-1]}.png", f"https://a.org/{'a' * 60}", "/tmp/a.png"]
    addresses += ["data:a b,c d", "data:image/png", "\thttps://a.org"]
    return JUNK | st.sampled_from([*texts, *addresses, 10**4, 2.5]) | st.lists(JUNK, max_size=3)


def members(inputs: tuple[Input, ...]) -> st.SearchStrategy[dict[str, Any]]:
    """Return objects with the required and some other inputs, now and then with something else."""
    values = {item.name: st.one_of(*[valid(item)] * 5, odd(item)) for item in inputs}
    required = [item.name for item in inputs if item.required]
    optional = [item.name for item in inputs if not item.required]
    names = (
        st.lists(st.sampled_from(optional), max_size=3, unique=True) if optional else st.just([])
    )
    some = names.flatmap(lambda n: st.fixed_dictionaries({k: values[k] for k in [*required, *n]}))
    extra = st.dictionaries(st.sampled_from(["nope", "webhook_url"]), JUNK, max_size=1)
    lacking = st.sampled_from([*required, *optional, "nope"])
    others = st.builds(lambda a, b: {**a, **b}, some, extra) | st.builds(_without, some, lacking)
    return st.one_of(*[some] * 8, others)


def _without(values: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}


def accepted(model: Endpoint, arguments: Mapping[str, object]) -> bool:
    """Return whether a job can be created with these arguments."""
    try:
        model.check(arguments)
    except InvalidArguments:
        return False
    return not sync_mode_problems(arguments)


@pytest.mark.parametrize("model", SERVED, ids=lambda model: str(model.endpoint))
def test_each_example_fits_its_schema(model: Endpoint) -> None:
    """What the API shows as an example can be sent as it is, and the schema says so."""
    errors = validator(model).iter_errors(model.example())
    assert [] == [str(error) for error in errors]
    assert accepted(model, model.example())


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_the_schema_decides_as_the_check_does(data: st.DataObject) -> None:
    """For any endpoint and arguments, both accept them or neither does."""
    model = data.draw(st.sampled_from(SERVED), "endpoint")
    arguments = data.draw(members(model.inputs), "arguments")
    require_agreement(model, {**model.example(), **arguments})
    require_agreement(model, arguments)


@settings(max_examples=200, deadline=None)
@given(members(ODD.inputs))
def test_every_kind_of_input_and_rule(arguments: dict[str, Any]) -> None:
    """So they do for what an endpoint of the user's own may have."""
    require_agreement(ODD, arguments)


def require_agreement(model: Endpoint, arguments: Mapping[str, object]) -> None:
    """Assert that the check and the schema accept the arguments, or neither does."""
    errors = [str(error) for error in validator(model).iter_errors(arguments)]
    assert accepted(model, arguments) == (not errors), (model.endpoint, arguments, errors)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"prompt": "a", "image_urls": ["https://a.org/x"] * 4}, True),
        ({"prompt": "a", "image_urls": ["https://a.org/x"] * 5}, True),
        ({"prompt": "a", "multi_prompt": [{"prompt": "b"}]}, False),
        ({"multi_prompt": [{"prompt": "b"}]}, True),
        ({"prompt": " "}, False),
        ({"prompt": "a", "elements": [{}]}, False),
        ({"prompt": "a", "elements": [{"reference_image_urls": []}]}, False),
        (
            {
                "prompt": "a",
                "image_urls": ["https://a.org/x"] * 4,
                "elements": [{"video_url": "https://a.org/x"}],
            },
            False,
        ),
        ({"prompt": "a", "elements": [{"video_url": "https://a.org/x"}] * 2}, False),
    ],
)
def test_rules_between_inputs(arguments: dict[str, Any], expected: bool) -> None:
    """One of two, at least one of some, and how many together: also if another is passed."""
    model = kling("o3/pro/reference-to-video")
    assert expected == accepted(model, arguments)
    assert expected == validator(model).is_valid(arguments)


def test_inputs_are_described() -> None:
    """A form can be made of it: titles, texts, defaults, choices, limits."""
    schema = arguments_schema(kling("v2.1/master/image-to-video"))
    assert "https://json-schema.org/draft/2020-12/schema" == schema["$schema"]
    assert ["prompt", "image_url"] == schema["required"]
    duration = schema["properties"]["duration"]
    assert (["5", "10", 5, 10], "5") == (duration["enum"], duration["default"])
    assert "upload://" in schema["properties"]["image_url"]["description"]
    assert 0.5 == schema["properties"]["cfg_scale"]["default"]


def test_fals_own_schema_is_kept() -> None:
    """An endpoint that was added from fal's description has the schema of that."""
    keywords = {"type": "object", "properties": {"prompt": {"type": "string", "pattern": "^a"}}}
    model = Endpoint(endpoint="acme/x", json_schema=RequestSchema(keywords=keywords))
    schema = arguments_schema(model)
    assert keywords == {name: schema[name] for name in keywords}
    assert "acme/x" == schema["title"]


def test_a_withdrawn_endpoint_still_has_a_schema() -> None:
    """What old jobs were created with can still be read."""
    model = kling("v1/pro/text-to-video")
    assert model.withdrawn_at is not None
    assert model.withdrawn_at < date(2027, 1, 1)
    assert "prompt" in arguments_schema(model)["properties"]
