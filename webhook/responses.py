"""The receiver's responses: one reason code, the same in body, log and metric."""

import json

from starlette.types import Message, Send

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


def _response(outcome: str, status: int) -> tuple[Message, Message]:
    body = json.dumps({"outcome": outcome}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    if status == 503:  # noqa: PLR2004
        headers.append((b"retry-after", RETRY_AFTER.encode()))
    start: Message = {"type": "http.response.start", "status": status, "headers": headers}
    return start, {"type": "http.response.body", "body": body}


_RESPONSES = {outcome: _response(outcome, status) for outcome, status in STATUS.items()}


async def send_response(send: Send, outcome: str) -> None:
    """Send the response for `outcome`, a key of STATUS."""
    start, body = _RESPONSES[outcome]
    await send(start)
    await send(body)
