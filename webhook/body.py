"""The body of a callback: read within limits on size, time and memory, then parsed strictly."""

import asyncio
import json
from collections.abc import Iterable

from starlette.types import Receive

from webhook.capacity import Capacity, Overloaded
from webhook.verification.signature import Rejected

# Results are about 0.5 KB. No limit is documented, and models may return inline data.
MAX_BODY = 4 * 1024 * 1024
BODY_TIMEOUT = 10.0


async def read_body(
    receive: Receive,
    headers: Iterable[tuple[bytes, bytes]],
    capacity: Capacity,
    *,
    seconds: float = BODY_TIMEOUT,
) -> bytes:
    """Return the whole body. The caller must release its bytes from `capacity` afterwards.

    `seconds` limits the wait for the rest once the body has begun. Raises Rejected("too_large"),
    Rejected("slow_body") or Overloaded, with nothing left to release.
    """
    _check_content_length(headers)
    body = bytearray()
    try:
        # Nearly every body is one piece that has already arrived, so the first needs no timer. The
        # server ends a request whose body never begins (webhook/server/http_protocol.py).
        if await _receive(receive, body, capacity):
            async with asyncio.timeout(seconds):
                while await _receive(receive, body, capacity):
                    pass
    except TimeoutError:
        capacity.release(len(body))
        raise Rejected("slow_body") from None
    except (Rejected, Overloaded):
        capacity.release(len(body))
        raise
    return bytes(body)


def _check_content_length(headers: Iterable[tuple[bytes, bytes]]) -> None:
    # The header may be wrong or missing: it only refuses early, received bytes are counted too.
    for name, value in headers:
        if name == b"content-length" and value.isdigit() and int(value[:12]) > MAX_BODY:
            raise Rejected("too_large")


async def _receive(receive: Receive, body: bytearray, capacity: Capacity) -> bool:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Rejected("slow_body")
    chunk: bytes = message.get("body", b"")
    if len(body) + len(chunk) > MAX_BODY:
        raise Rejected("too_large")
    capacity.hold(len(chunk))
    body += chunk
    return bool(message.get("more_body", False))


def _no_number(_text: str) -> None:
    """Read NaN, Infinity and integers of any length as null; their values are the worker's."""


def _unique_names(pairs: list[tuple[str, object]]) -> dict[str, object]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("repeated name")
    return content


# Only the request id is read here; all else is data that fal signed, also what JSON cannot express
# and Python writes (worker/fal/lenient_json.py reads it). But readers disagree on the value of a
# repeated name.
_reader = json.JSONDecoder(
    parse_constant=_no_number, parse_int=_no_number, object_pairs_hook=_unique_names
)


def request_id_of(body: bytes) -> str:
    """Return the request id in a callback's body. Raises Rejected("bad_body")."""
    try:
        content = _reader.decode(body.decode())
    except (ValueError, RecursionError):
        raise Rejected("bad_body") from None
    match content:
        case {"request_id": str(request_id)}:
            return request_id
    raise Rejected("bad_body")
