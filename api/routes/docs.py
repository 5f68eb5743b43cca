"""The OpenAPI document, a viewer of it, and a page about problems; none of them needs a key."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from starlette.responses import Response

from api.conditional import conditional
from api.dispatch import json_response
from api.docs.problem_page import problem_page
from api.operation import Answer, Call, Operation
from api.problems import ProblemError

_DOCS = Path(__file__).parents[1] / "docs"
_VENDOR = _DOCS / "vendor" / "swagger-ui-5.35.0"
# The files of the pages, and their types.
FILES: Mapping[str, tuple[Path, str]] = {
    "pages.css": (_DOCS / "pages.css", "text/css"),
    "viewer.js": (_DOCS / "viewer.js", "text/javascript"),
    "swagger-ui.css": (_VENDOR / "swagger-ui.css", "text/css"),
    "swagger-ui-bundle.js": (_VENDOR / "swagger-ui-bundle.js", "text/javascript"),
    "LICENSE": (_VENDOR / "LICENSE", "text/plain"),
    "NOTICE": (_VENDOR / "NOTICE", "text/plain"),
    "swagger-ui-bundle.js.LICENSE.txt": (
        _VENDOR / "swagger-ui-bundle.js.LICENSE.txt",
        "text/plain",
    ),
}
# The pages run our files alone and speak with this server alone; the viewer's icons are data URIs.
_POLICY = "; ".join(
    (
        "default-src 'none'",
        *("script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'"),
        *("base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"),
    )
)
_SAFE = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True, kw_only=True)
class Docs:
    """The handlers of documents; `document` returns the OpenAPI document, which never changes."""

    document: Callable[[], Mapping[str, Any]]

    @cached_property
    def _body(self) -> bytes:
        return bytes(json_response(self.document()).body)

    async def get_openapi(self, call: Call) -> Response:
        """Answer GET /openapi.json."""
        return _answer(call, self._body, "application/json")

    async def get_viewer(self, call: Call) -> Response:
        """Answer GET /docs."""
        return _answer(call, (_DOCS / "viewer.html").read_bytes(), "text/html")

    async def get_problems(self, call: Call) -> Response:
        """Answer GET /docs/problems."""
        return _answer(call, problem_page().encode(), "text/html")

    async def get_docs_file(self, call: Call) -> Response:
        """Answer GET /docs/{file}."""
        found = FILES.get(call.request.path_params["file"])
        if found is None:
            raise ProblemError("not_found", "there is no such file; see /docs")
        path, media_type = found
        return _answer(call, path.read_bytes(), media_type)


def _answer(call: Call, content: bytes, media_type: str) -> Response:
    return conditional(Response(content, 200, _SAFE, media_type), call.request)


def operations(docs: Docs) -> Sequence[Operation]:
    """Return the operations on documents, in the order in which they must be routed."""
    page = Answer("The page.", media_type="text/html")
    document = Answer("The OpenAPI document.")
    described = (
        ("/openapi.json", "getOpenapi", "Read this document", docs.get_openapi, document),
        ("/docs", "getDocs", "See this document", docs.get_viewer, page),
        ("/docs/problems", "getProblems", "See every code of a problem", docs.get_problems, page),
        (
            "/docs/{file}",
            "getDocsFile",
            "Fetch a part of these pages",
            docs.get_docs_file,
            Answer("The file.", media_type="*/*"),
        ),
    )
    return tuple(
        Operation(
            method="GET",
            path=path,
            name=name,
            summary=summary,
            tag="docs",
            handler=handler,
            scope=None,
            headers={"If-None-Match": "The ETag of an earlier answer."},
            answers={200: answer, 304: Answer("It has not changed.", media_type="")},
            problems=("not_found",) if "{" in path else (),
        )
        for path, name, summary, handler, answer in described
    )
