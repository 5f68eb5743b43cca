"""fal's description of an endpoint becomes an entry of the catalogue that checks like its own."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from worker.catalogue import openapi
from worker.models import Catalogue, InvalidArguments, Kind, Model

ENDPOINT = "acme/dolly/video"
DOCUMENT = json.loads((Path(__file__).parent / "openapi_example.json").read_text())
FRAMES = [{"image_url": "https://example.com/a.png"}]


def read(directory: Path, document: Any = DOCUMENT) -> Model:
    """The model as every process reads it."""
    entry = openapi.entry(ENDPOINT, document, source="a test")
    (directory / "own.json").write_text(json.dumps(entry))
    return Catalogue.load(directory).find(ENDPOINT)


def test_inputs_with_their_types_and_bounds(tmp_path: Path) -> None:
    """Order, kinds, defaults, ranges; what says too much lets any JSON through."""
    model = read(tmp_path)
    inputs = {item.name: item for item in model.inputs}
    kinds = {name: item.kind for name, item in inputs.items()}
    expected = {
        "prompt": Kind.TEXT,
        "frames": Kind.OBJECT,
        "duration": Kind.SECONDS,
        "strength": Kind.NUMBER,
        "steps": Kind.INTEGER,
        "seed": Kind.INTEGER,
        "image_size": Kind.ANY,
        "audio_url": Kind.URL,
        "style": Kind.STRING,
        "loop": Kind.BOOLEAN,
    }
    assert expected == kinds
    assert list(expected) == list(kinds)
    assert ("4", "What it shows") == (inputs["duration"].default, inputs["prompt"].description)
    assert (1, 50) == (inputs["steps"].minimum, inputs["steps"].maximum)
    assert {"seed": "integer", "video": "file", "stills": "list<file>"} == model.outputs
    assert ("a test",) == model.sources


def test_it_checks_like_any_other(tmp_path: Path) -> None:
    """Good arguments pass and bad ones are named, nested ones too."""
    model = read(tmp_path)
    good = {"prompt": "a", "frames": FRAMES, "duration": 8, "image_size": {"width": 3}}
    assert good | {"duration": "8"} == model.check(good)
    bad = {"prompt": "x" * 21, "frames": [{"img": 1}], "steps": 0, "style": "noirr", "loop": 1}
    with pytest.raises(InvalidArguments) as caught:
        model.check(bad)
    paths = {problem.path for problem in caught.value.problems}
    expected = {"prompt", "frames[0].img", "frames[0].image_url", "steps", "style", "loop"}
    assert expected == paths


def test_its_example_passes(tmp_path: Path) -> None:
    """The command that `models show` prints works for it as well."""
    model = read(tmp_path)
    assert model.example() == model.check(model.example())


def test_the_shared_inputs_of_the_catalogue_stay(tmp_path: Path) -> None:
    """An entry's names are its own: a prompt of 20 characters is nobody else's."""
    read(tmp_path)
    kling = Catalogue.load(tmp_path).find("fal-ai/kling-video/v2.1/master/text-to-video")
    assert kling == Catalogue.load().find(kling.endpoint)


def _without(*path: str) -> Any:
    document = deepcopy(DOCUMENT)
    inner = document
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    return document


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"paths": []},
        _without("paths", f"/{ENDPOINT}"),
        _without("paths", f"/{ENDPOINT}/requests/{{request_id}}"),
        _without("components", "schemas", "DollyVideoInput"),
        _without("components", "schemas", "Style"),
        _without("components", "schemas", "DollyVideoInput", "properties"),
    ],
)
def test_what_is_no_description_is_refused(document: Any) -> None:
    """Another endpoint's, or one with holes: a sentence that names the endpoint."""
    with pytest.raises(openapi.UnreadableDescription, match=ENDPOINT):
        openapi.entry(ENDPOINT, document, source="a test")
