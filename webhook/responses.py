"""The receiver's responses: one reason code, the same in body, log and metric."""

import json
from http import HTTPStatus
from typing import NamedTuple

from starlette.types import Message, Scope, Send

RETRY_AFTER = "5"

# 4xx: the callback is wrong. 503: we cannot decide now, and fal tries again.
STATUS: dict[str, int] = {
    "accepted": 200,
    "bad_headers": 400,
    "bad_body": 400,
    "id_mismatch": 400,
    "slow_body": 400,
    "stale_timestamp": 401,
    "foreign_account": 401,
    "foreign_source": 401,
    "bad_signature": 401,
    "bad_address": 404,
    "too_large": 413,
    "no_keys": 503,
    "inbox_unavailable": 503,
    "overloaded": 503,
}


# An ASGI extension of our server: a function that sends a WholeResponse.
WHOLE_RESPONSE = "falhook.response"


class WholeResponse(NamedTuple):
    """A response of HTTP/1.1 in bytes; `headers` is its own header lines."""

    status_line: bytes
    headers: bytes
    body: bytes


class _Response(NamedTuple):
    start: Message
    end: Message
    whole: WholeResponse


def _headers(body: bytes, status: int) -> list[tuple[bytes, bytes]]:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append((b"retry-after", RETRY_AFTER.encode()))
    return headers


def _response(outcome: str, status: int) -> _Response:
    body = json.dumps({"outcome": outcome}).encode()
    headers = _headers(body, status)
    return _Response(
        start={"type": "http.response.start", "status": status, "headers": headers},
        end={"type": "http.response.body", "body": body},
        whole=WholeResponse(
            status_line=f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode(),
            headers=b"".join(b"%s: %s\r\n" % header for header in headers),
            body=body,
        ),
    )


_RESPONSES = {outcome: _response(outcome, status) for outcome, status in STATUS.items()}


def whole_response(outcome: str) -> WholeResponse:
    """Return the response for `outcome`, a key of STATUS, in bytes."""
    return _RESPONSES[outcome].whole


async def send_response(scope: Scope, send: Send, outcome: str) -> None:
    """Send the response for `outcome`, a key of STATUS."""
    response = _RESPONSES[outcome]
    respond = scope.get("extensions", {}).get(WHOLE_RESPONSE)
    if respond is not None:
        await respond(response.whole)
        return
    await send(response.start)
    await send(response.end)
