"""OpenAPI descriptions like fal's, and the endpoints that a catalogue reads from them."""

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
    """Return the endpoint that a catalogue with this description contains."""
    entry = description.entry(ENDPOINT, document, source="a test")
    (directory / "own.json").write_text(json.dumps(entry))
    return Catalogue.load(directory).find(ENDPOINT)


def taking(properties: Any, **keywords: Any) -> Any:
    """Return a description with these inputs; `keywords` apply to all of them together."""
    return _with("DollyVideoInput", properties, {"required": [], **keywords})


def giving(properties: Any, **keywords: Any) -> Any:
    """Return a description with these outputs, all required by default."""
    return _with("DollyVideoOutput", properties, {"required": list(properties), **keywords})


def _with(schema: str, properties: Any, keywords: Any) -> Any:
    document = deepcopy(DOCUMENT)
    document["components"]["schemas"][schema] |= {"properties": properties, **keywords}
    return document


def of(directory: Path, **properties: object) -> Endpoint:
    """Return an endpoint whose only input, `given`, has these keywords."""
    return read(directory, taking({"given": properties}, required=["given"]))
