"""fal's endpoints over HTTP."""

from collections.abc import Iterator

import httpx
import pytest
from jsonschema_rs import Draft202012Validator

from api.routes.models import Models, operations
from tests.factories.served_routes import served
from worker.catalogue.catalogue import Catalogue
from worker.catalogue.summary import summary

CATALOGUE = Catalogue.load()
TEXT_TO_VIDEO = "fal-ai/kling-video/v2.1/master/text-to-video"


@pytest.fixture
def client(redis_url: str) -> Iterator[httpx.Client]:
    """A client of a server of the packaged catalogue."""
    with served(operations(Models(catalogue=CATALOGUE)), redis_url) as server:
        yield server.client()


def test_endpoints_are_listed_as_on_the_command_line(client: httpx.Client) -> None:
    """Each has the facts that `falhook models --json` prints; a search narrows them down."""
    models = client.get("/v1/models").json()["models"]
    assert [summary(model) for model in CATALOGUE.search()] == models
    found = client.get("/v1/models", params={"search": "V3 image"}).json()["models"]
    assert [model.endpoint for model in CATALOGUE.search("v3 image")] == [
        model["endpoint"] for model in found
    ]
    assert 0 < len(found) < len(models) <= 200


@pytest.mark.parametrize("id_", [TEXT_TO_VIDEO, TEXT_TO_VIDEO.replace("/", "%2F")])
def test_an_endpoint_has_all_that_a_job_needs(client: httpx.Client, id_: str) -> None:
    """Its example fits its schema, and its price has a source."""
    model = client.get(f"/v1/models/{id_}").json()
    assert (TEXT_TO_VIDEO, "") == (model["endpoint"], model["unavailable"])
    assert Draft202012Validator(model["input_schema"]).is_valid(model["example"])
    assert model["price"].startswith("$")
    assert model["price_about"]["source"]
    assert {"video": "file"} == model["outputs"]


@pytest.mark.parametrize(
    ("id_", "words", "has_schema"),
    [
        ("fal-ai/kling-video/o3/4k/video-to-video/edit", "no schema yet", False),
        ("fal-ai/kling-video/v1/pro/text-to-video", "withdrawn by fal", True),
    ],
)
def test_an_endpoint_that_takes_no_jobs(
    client: httpx.Client, id_: str, words: str, has_schema: bool
) -> None:
    """It says why."""
    model = client.get(f"/v1/models/{id_}").json()
    assert words in model["unavailable"]
    assert {} == model["example"]
    assert has_schema == (model["input_schema"] is not None)


def test_an_unknown_endpoint_has_hints(client: httpx.Client) -> None:
    """The nearest ids are named."""
    answer = client.get(f"/v1/models/{TEXT_TO_VIDEO}s")
    assert (404, "unknown_endpoint") == (answer.status_code, answer.json()["code"])
    (problem,) = answer.json()["problems"]
    assert TEXT_TO_VIDEO in problem["hint"]
    for other in ("", "x", "a" * 5000, "%00", "a%20b"):
        assert 404 == client.get(f"/v1/models/{other}").status_code


@pytest.mark.parametrize("path", ["", f"/{TEXT_TO_VIDEO}"])
def test_what_is_known_is_not_sent_again(client: httpx.Client, path: str) -> None:
    """The ETag names the content, which a client asks for again."""
    first = client.get(f"/v1/models{path}")
    assert "private, no-cache" == first.headers["cache-control"]
    answer = client.get(f"/v1/models{path}", headers={"If-None-Match": first.headers["etag"]})
    assert (304, b"") == (answer.status_code, answer.content)
    answer = client.get(f"/v1/models{path}", headers={"If-None-Match": '"other"'})
    assert (200, first.content) == (answer.status_code, answer.content)
