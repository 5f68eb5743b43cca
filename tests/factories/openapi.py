"""OpenAPI descriptions as fal gives them, and the models that every process reads out of them."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

from worker.catalogue.catalogue import Catalogue
from worker.catalogue.endpoint import Endpoint
from worker.catalogue.openapi import description

ENDPOINT = "acme/dolly/video"
EXAMPLE = Path(__file__).parent / "openapi_example.json"
DOCUMENT = json.loads(EXAMPLE.read_text())


def read(directory: Path, document: Any = DOCUMENT) -> Endpoint:
    """The model as every process reads it."""
    entry = description.entry(ENDPOINT, document, source="a test")
    (directory / "own.json").write_text(json.dumps(entry))
    return Catalogue.load(directory).find(ENDPOINT)


def taking(properties: Any, **keywords: Any) -> Any:
    """A description whose inputs are these; `keywords` hold for all of them together."""
    return _with("DollyVideoInput", properties, {"required": [], **keywords})


def giving(properties: Any, **keywords: Any) -> Any:
    """A description whose result holds these, all of them required where nothing else is said."""
    return _with("DollyVideoOutput", properties, {"required": list(properties), **keywords})


def _with(schema: str, properties: Any, keywords: Any) -> Any:
    document = deepcopy(DOCUMENT)
    document["components"]["schemas"][schema] |= {"properties": properties, **keywords}
    return document


def of(directory: Path, **properties: object) -> Endpoint:
    """An endpoint whose one input has these keywords."""
    return read(directory, taking({"given": properties}, required=["given"]))
