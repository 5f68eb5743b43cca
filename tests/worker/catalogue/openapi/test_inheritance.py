"""A new description inherits the limits that it omits and the catalogue already knows."""

from copy import deepcopy
from typing import Any

import pytest

from tests import ROOT
from tests.factories.catalogue import CATALOGUE, Arguments, kling
from tests.factories.openapi import ENDPOINT, taking
from worker.catalogue.catalogue import tables_with
from worker.catalogue.endpoint import Endpoint
from worker.catalogue.errors import InvalidArguments
from worker.catalogue.files import build, reader
from worker.catalogue.inputs import InputType
from worker.catalogue.openapi import description
from worker.catalogue.openapi.inheritance import Inheritance, inherit

# A directory without files adds nothing.
PACKAGED = tables_with(ROOT / "none")
URL, TEXT = {"type": "string", "format": "uri"}, {"type": "string"}
URLS = {"type": "array", "items": URL}
NUMBER = {"type": "number"}
IMAGE = "https://example.com/cat.png"


def described(endpoint: str, inputs: Any, **keywords: Any) -> Any:
    """Return the tables of this endpoint's description."""
    document = deepcopy(taking(inputs, **keywords))
    document["paths"] = {
        path.replace(ENDPOINT, endpoint): value for path, value in document["paths"].items()
    }
    return description.entry(endpoint, document, source="a test")


def redescribed(before: Endpoint, inputs: Any) -> Inheritance:
    """Return the inheritance of a packaged endpoint that is described with these inputs."""
    entry = described(before.endpoint, inputs)
    return inherit(entry, before.endpoint, PACKAGED, before)


def model_of(inheritance: Inheritance) -> Endpoint:
    """Return its endpoint, with the prices of the package."""
    prices = PACKAGED.model_dump(include={"prices"})
    (model,) = build.models(reader.checked({**prices, **inheritance.entry}, "a test"))
    return model


LINE = {"video_url": URL, "text": TEXT, "voice_id": TEXT}
GOOD_LINE = {"video_url": IMAGE, "voice_id": "AOT"}


@pytest.mark.parametrize(
    ("path", "inputs", "accepted", "rejected", "limit"),
    [
        (
            "lipsync/text-to-video",
            LINE,
            GOOD_LINE | {"text": "x" * 120},
            GOOD_LINE | {"text": "x" * 121},
            "text of at most 120 characters",
        ),
        (
            "v1.6/pro/elements",
            {"prompt": TEXT, "input_image_urls": URLS},
            {"input_image_urls": [IMAGE] * 4},
            {"input_image_urls": [IMAGE] * 5},
            "input_image_urls of 1 to 4 items",
        ),
        (
            "v2.1/master/text-to-video",
            {"prompt": TEXT, "cfg_scale": NUMBER},
            {"cfg_scale": 1},
            {"cfg_scale": 1.5},
            "cfg_scale of 0 to 1",
        ),
        (
            "v2.1/master/image-to-video",
            {"prompt": TEXT, "image_url": URL},
            {"image_url": IMAGE},
            {"image_url": IMAGE + "?" + "x" * 2083},
            "image_url of at most 2,083 characters",
        ),
        (
            "o1/reference-to-video",
            {"elements": {"type": "array", "items": {
                "type": "object", "properties": {"reference_image_urls": URLS}}}},
            {"elements": [{"reference_image_urls": [IMAGE] * 3}]},
            {"elements": [{"reference_image_urls": [IMAGE] * 4}]},
            "elements[].reference_image_urls of 1 to 3 items",
        ),
    ],
)  # fmt: skip
def test_limits_that_the_description_does_not_state_are_kept(
    path: str, inputs: Any, accepted: Arguments, rejected: Arguments, limit: str
) -> None:
    """Lengths, counts and ranges are still enforced, and reported as kept."""
    inheritance = redescribed(kling(path), inputs)
    model = model_of(inheritance)
    assert limit in inheritance.kept
    assert accepted == model.check(accepted)
    with pytest.raises(InvalidArguments):
        model.check(rejected)


def test_limits_in_the_description_win() -> None:
    """This holds for each bound: a new maximum keeps the older minimum."""
    inputs = {"input_image_urls": URLS | {"maxItems": 6}, "prompt": TEXT | {"maxLength": 9}}
    inheritance = redescribed(kling("v1.6/pro/elements"), inputs)
    prompt, images = model_of(inheritance).inputs
    assert (1, 6, 9) == (images.min_items, images.max_items, prompt.max_length)
    assert "input_image_urls of at least 1 item" in inheritance.kept


@pytest.mark.parametrize(
    ("path", "name", "schema"),
    [
        ("lipsync/text-to-video", "text", {"type": "integer"}),
        ("lipsync/text-to-video", "text", {"type": "array", "items": TEXT}),
        ("lipsync/text-to-video", "text", {"type": "string", "enum": ["a", "b"]}),
        ("lipsync/text-to-video", "text", {}),
        ("lipsync/text-to-video", "text", {"type": "string", "minLength": 121}),
        ("v2.1/master/text-to-video", "cfg_scale", {"type": "number", "minimum": 2}),
        ("v1.6/pro/elements", "input_image_urls", URL),
    ],
)
def test_limits_that_no_longer_fit_are_dropped(path: str, name: str, schema: Any) -> None:
    """An input of another kind, or whose range would become empty, inherits nothing."""
    inheritance = redescribed(kling(path), {name: schema})
    model = model_of(inheritance)
    assert [] == [limit for limit in inheritance.kept if limit.startswith(f"{name} ")]
    assert model.example() == model.check(model.example())


def test_a_limit_that_fal_lifts_is_gone() -> None:
    """A newer description replaces the limits of an older one, but not those of the package."""
    path = "acme/dolly/other"
    older = described(path, {"prompt": TEXT | {"maxLength": 5}})
    rows = reader.checked(older, "a test")
    assert () == inherit(described(path, {"prompt": TEXT}), path, rows, None).kept
    packaged = kling("lipsync/text-to-video")
    older = described(packaged.endpoint, LINE)
    rows = reader.checked(older, "a test")
    inheritance = inherit(described(packaged.endpoint, LINE), packaged.endpoint, rows, packaged)
    assert ("text of at most 120 characters",) == inheritance.kept


def test_no_endpoint_of_the_package_loses_a_limit() -> None:
    """Described by names and types only, each still enforces its limits."""
    for before in CATALOGUE.search():
        if not before.inputs:
            continue
        inputs = {item.name: _bare(item) for item in before.inputs}
        after = {item.name: item for item in model_of(redescribed(before, inputs)).inputs}
        for item in before.inputs:
            limits = ("max_length", "min_items", "max_items", "minimum", "maximum")
            expected = [getattr(item, name) for name in limits]
            assert expected == [getattr(after[item.name], name) for name in limits], item.name


def _bare(item: Any) -> Any:
    kinds: Any = {
        InputType.URL: URL,
        InputType.INTEGER: {"type": "integer"},
        InputType.NUMBER: NUMBER,
    }
    single: Any = kinds.get(item.kind, TEXT)
    if item.nested:
        single = {
            "type": "object",
            "properties": {member.name: _bare(member) for member in item.nested},
        }
    return {"type": "array", "items": single} if item.many else single
