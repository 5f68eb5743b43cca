"""What the receiver answers: one word for how it went, in body, log and metric alike."""

import json

from starlette.types import Message, Send

RETRY_AFTER = "5"

# 4xx: something is wrong with the callback. 503: we cannot decide, so that fal tries again.
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


def _messages(outcome: str, status: int) -> tuple[Message, Message]:
    body = json.dumps({"outcome": outcome}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    if status == 503:  # noqa: PLR2004
        headers.append((b"retry-after", RETRY_AFTER.encode()))
    start: Message = {"type": "http.response.start", "status": status, "headers": headers}
    return start, {"type": "http.response.body", "body": body}


_ANSWERS = {outcome: _messages(outcome, status) for outcome, status in STATUS.items()}


async def answer(send: Send, outcome: str) -> None:
    """Send the response that belongs to the word `outcome`, a key of STATUS."""
    start, body = _ANSWERS[outcome]
    await send(start)
    await send(body)
