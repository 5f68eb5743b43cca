"""Answers that a client need not fetch again: ETag and If-None-Match.

https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2
"""

import hashlib
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

# A cache asks every time; the answer to that is short.
REVALIDATED = "private, no-cache"


def conditional(response: Response, request: Request) -> Response:
    """Return the answer with an ETag of its body, or 304 if the client has it."""
    tag = etag(response)
    headers = {"ETag": tag, "Cache-Control": REVALIDATED}
    if is_known(tag, request.headers):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return response


def etag(response: Response) -> str:
    """Return a name of the answer's body, for its header ETag."""
    return f'"{hashlib.sha256(bytes(response.body)).hexdigest()[:32]}"'


def is_known(tag: str, headers: Mapping[str, str]) -> bool:
    """Return whether the request's If-None-Match names this ETag."""
    known = {
        each.strip().removeprefix("W/") for each in headers.get("if-none-match", "").split(",")
    }
    return "*" in known or tag in known
