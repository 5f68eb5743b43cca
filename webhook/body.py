"""The body of a callback: read once, within bounds of size, time and memory; strict JSON."""

import asyncio
import json
from collections.abc import Iterable

from starlette.types import Receive

from webhook.capacity import Capacity, Overloaded
from webhook.verification.signature import Rejected

# Results are about 0.5 KB; no bound is documented, and models may return inline data.
MAX_BODY = 4 * 1024 * 1024
BODY_TIMEOUT = 10.0


async def read(
    receive: Receive,
    headers: Iterable[tuple[bytes, bytes]],
    room: Capacity,
    *,
    seconds: float = BODY_TIMEOUT,
) -> bytes:
    """The whole body, which the caller must release from the room afterwards.

    Raises Rejected("too_large"), Rejected("slow_body") and Overloaded.
    """
    _check_announced(headers)
    body = bytearray()
    try:
        # Nearly every body is one piece and here by now. Without a timer for these, a request
        # whose body never begins is ended by the server (webhook/server/http_protocol.py).
        if await _receive(receive, body, room):
            async with asyncio.timeout(seconds):
                while await _receive(receive, body, room):
                    pass
    except TimeoutError:
        room.release(len(body))
        raise Rejected("slow_body") from None
    except (Rejected, Overloaded):
        room.release(len(body))
        raise
    return bytes(body)


def _check_announced(headers: Iterable[tuple[bytes, bytes]]) -> None:
    # What is announced may be a lie or missing: it refuses early, but what comes is counted.
    for name, value in headers:
        if name == b"content-length" and value.isdigit() and int(value[:12]) > MAX_BODY:
            raise Rejected("too_large")


async def _receive(receive: Receive, body: bytearray, room: Capacity) -> bool:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Rejected("slow_body")
    chunk: bytes = message.get("body", b"")
    if len(body) + len(chunk) > MAX_BODY:
        raise Rejected("too_large")
    room.hold(len(chunk))
    body += chunk
    return bool(message.get("more_body", False))


def _not_json(constant: str) -> object:
    raise ValueError(constant)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


# RFC 8259: no NaN or Infinity, which json accepts unasked. A name that stands twice means one
# thing to us and another to the next reader.
_strict = json.JSONDecoder(parse_constant=_not_json, object_pairs_hook=_once)


def request_id_of(body: bytes) -> str:
    """The request id that a callback's body tells. Raises Rejected("bad_body")."""
    try:
        content = _strict.decode(body.decode())
    except (ValueError, RecursionError):
        raise Rejected("bad_body") from None
    match content:
        case {"request_id": str(request_id), "status": "OK" | "ERROR"}:
            return request_id
    raise Rejected("bad_body")
