"""The pages about the API: complete, self-contained, and shown by a real browser."""

import base64
import hashlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser

import httpx
import pytest

from api.openapi.document import openapi
from api.operation import Operation
from api.problems import KINDS
from api.routes import models
from api.routes.docs import FILES, Docs, operations
from tests import ROOT
from tests.factories.devtools import page
from tests.factories.served_routes import ServedRoutes, served
from tests.repository.reason_codes import reason_codes
from worker.catalogue.catalogue import Catalogue

VENDOR = ROOT / "api" / "docs" / "vendor"
PAGES = ("/docs", "/docs/problems")
FOREIGN = re.compile(r"^(?!data:|blob:|about:|chrome)")


@pytest.fixture
def server(redis_url: str) -> Iterator[ServedRoutes]:
    """A server of the pages and of some operations, which they describe."""
    described: list[Operation] = list(models.operations(models.Models(catalogue=Catalogue.load())))
    described += operations(Docs(document=lambda: openapi(described)))
    with served(described, redis_url) as server:
        yield server


@pytest.fixture
def client(server: ServedRoutes) -> Iterator[httpx.Client]:
    """A client without a key."""
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


def sha384(data: bytes) -> str:
    """Return the hash as the integrity of an HTML element has it."""
    return base64.b64encode(hashlib.sha384(data).digest()).decode()


def test_what_is_not_ours_is_what_it_was() -> None:
    """Each file of others has the hash that was recorded when it was copied."""
    table = re.findall(
        r"^\| `([^`]+)` \| `([^`]+)` \|$", (VENDOR / "README.md").read_text(), re.MULTILINE
    )
    (folder,) = (path for path in VENDOR.iterdir() if path.is_dir())
    assert dict(table) == {path.name: sha384(path.read_bytes()) for path in folder.iterdir()}


def test_a_browser_checks_what_is_not_ours(client: httpx.Client) -> None:
    """The page names the hash of each such file."""
    found = re.findall(r'"/docs/([^"]+)" integrity="sha384-([^"]+)"', client.get("/docs").text)
    assert {"swagger-ui.css", "swagger-ui-bundle.js"} == {name for name, _ in found}
    for name, expected in found:
        assert expected == sha384(client.get(f"/docs/{name}").content)


def test_no_page_names_another_server(client: httpx.Client) -> None:
    """Nothing is loaded from elsewhere, and no script or style is in the page itself."""

    class Reader(HTMLParser):
        found: list[str] = []  # noqa: RUF012

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            given = dict(attrs)
            if tag in {"script", "link", "img", "iframe"}:
                self.found.append(given.get("src") or given.get("href") or "inline")
            if tag == "style" or "style" in given or any(name.startswith("on") for name in given):
                self.found.append("inline")

    for path in PAGES:
        answer = client.get(path)
        assert "text/html; charset=utf-8" == answer.headers["content-type"]
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "unsafe" not in policy
        Reader.found = []
        Reader().feed(answer.text)
        assert [] == [each for each in Reader.found if not each.startswith(("/docs/", "data:,"))]


def test_every_code_has_its_place(client: httpx.Client) -> None:
    """The `type` of any problem leads to what it means and what to do."""
    text = client.get("/docs/problems").text
    anchors = re.findall(r'<section id="([^"]+)">', text)
    assert len(anchors) == len(set(anchors))
    assert [] == sorted({*KINDS, *reason_codes()} - set(anchors))
    assert all(kind.cure.endswith(".") and kind.title for kind in KINDS.values())


def test_the_document_is_known_by_its_tag(client: httpx.Client) -> None:
    """It needs no key, has the pages in it too, and is not sent twice."""
    answer = client.get("/openapi.json")
    assert {"/v1/models", "/docs", "/openapi.json"} <= set(answer.json()["paths"])
    tag = {"If-None-Match": answer.headers["etag"]}
    assert 304 == client.get("/openapi.json", headers=tag).status_code


@pytest.mark.parametrize("name", [*FILES, "../app.py", "..%2fapp.py", "viewer.html", "x", ""])
def test_only_these_files(client: httpx.Client, name: str) -> None:
    """Each has its type; others of the folder are not served."""
    answer = client.get(f"/docs/{name}")
    assert (200 if name in FILES else 404) == answer.status_code
    if name in FILES:
        assert answer.headers["content-type"].startswith(FILES[name][1])
        assert "nosniff" == answer.headers["x-content-type-options"]


def test_a_browser_shows_every_operation(server: ServedRoutes) -> None:
    """It asks no other server, breaks no rule of the page, and nothing goes wrong in it."""
    count = len(httpx.get(f"{server.url}/openapi.json", timeout=60).json()["paths"])
    with page() as browser:
        browser.open(f"{server.url}/docs")
        browser.wait_for(f"document.querySelectorAll('.opblock').length === {count}")
        browser.evaluate("document.querySelector('#operations-models-getModel button').click()")
        browser.wait_for("document.querySelector('.opblock.is-open .responses-wrapper')")
        assert "Read what an endpoint accepts" in browser.evaluate("document.body.innerText")
        assert [] == browser.evaluate("window.violations")
        assert [] == browser.complaints
        asked = {url for url in browser.requests if FOREIGN.match(url)}
        assert {server.url} == {str(httpx.URL(url).join("/")).rstrip("/") for url in asked}
        browser.open(f"{server.url}/docs/problems#wrong_state")
        browser.wait_for("document.querySelector('section#wrong_state')")
        assert [] == browser.evaluate("window.violations")
        assert [] == browser.complaints
