"""The files of the pages: their addresses have a hash, so that browsers keep them for ever."""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from starlette.responses import Response

from api.console.visit import Page, Visit
from api.problems import ProblemError

_FOLDER = Path(__file__).parent / "static"
_TYPES: Mapping[str, str] = {
    "console.css": "text/css",
    "console.js": "text/javascript",
    "live.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_FOR_EVER = "public, max-age=31536000, immutable"


@cache
def _content(name: str) -> tuple[bytes, str]:
    content = (_FOLDER / name).read_bytes()
    return content, hashlib.sha256(content).hexdigest()[:12]


def address(name: str) -> str:
    """Return the address of a file with its present content."""
    return f"/console/static/{_content(name)[1]}/{name}"


async def _static(visit: Visit) -> Response:
    name = visit.request.path_params["name"]
    if name not in _TYPES:
        raise ProblemError("not_found", "there is no such file")
    content, known = _content(name)
    kept = _FOR_EVER if visit.request.path_params["hash"] == known else "no-store"
    headers = {"Cache-Control": kept, "X-Content-Type-Options": "nosniff"}
    if name == "live.js":
        # A worker has its own policy.
        headers["Content-Security-Policy"] = "default-src 'none'; connect-src 'self'"
    return Response(content, 200, headers, _TYPES[name])


PAGES = (
    Page(
        method="GET",
        path="/console/static/{hash}/{name}",
        name="static",
        handler=_static,
        scope=None,
    ),
)
