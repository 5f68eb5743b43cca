"""The receiver answers no request with a 5xx, and no forgery with 200.

`FALHOOK_FUZZ_EXAMPLES=1000000 python -m pytest tests/fuzz --timeout 0` runs as many examples.
"""

import asyncio
import os
import string
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis
from starlette.types import Message

from tests.factories.callbacks import FAL_KEY, SECRET, content, jwks, receiver_settings, signed
from webhook.capacity import Capacity
from webhook.contract import mint_token
from webhook.inbox import Inbox
from webhook.metrics import Metrics
from webhook.receiver import Receiver
from webhook.responses import STATUS
from webhook.verification.jwks import KeySet

EXAMPLES = int(os.environ.get("FALHOOK_FUZZ_EXAMPLES", "300"))
NOW = 1_763_640_000.0
Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as the server passes it to the receiver."""

    job_id: str
    token: str
    headers: Headers
    chunks: list[bytes]


def unmutated(job_id: str = "job-1", body: bytes | None = None) -> Request:
    """Return the request that fal would send."""
    delivery = signed(job_id, timestamp=NOW, body=body)
    return Request(
        job_id=job_id,
        token=delivery.path.rpartition("/")[2],
        headers=[
            (name.lower().encode(), value.encode()) for name, value in delivery.headers.items()
        ],
        chunks=[delivery.body],
    )


def _mutated(data: bytes, at: int, kind: str, byte: int) -> bytes:
    at %= len(data) + 1
    piece = bytes([byte])
    match kind:
        case "insert":
            return data[:at] + piece + data[at:]
        case "delete":
            return data[:at] + data[at + 1 :]
        case "replace":
            return data[:at] + piece + data[at + 1 :]
        case _:
            return data[:at]


MUTATION = st.tuples(
    st.integers(0, 700),
    st.sampled_from(["insert", "delete", "replace", "cut"]),
    st.integers(0, 255) | st.sampled_from(list(b'\n\r\0 ":{}0')),
)
NAMES = st.sampled_from([name for name, _ in unmutated().headers]) | st.binary(max_size=20)
PATHS = st.text(string.printable, max_size=80) | st.text(max_size=80)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """Draw a request from the genuine one by up to four mutations."""
    base = unmutated(body=draw(st.just(content()) | st.binary(max_size=300)))
    job_id, token, headers, body = base.job_id, base.token, list(base.headers), base.chunks[0]
    for part in draw(st.lists(st.sampled_from(["path", "header", "name", "body"]), max_size=4)):
        match part:
            case "path":
                job_id = draw(PATHS | st.just(job_id))
                token = draw(PATHS | st.just(mint_token(SECRET, job_id, draw(st.integers(1, 9)))))
            case "header":
                at = draw(st.integers(0, 3))
                name, value = headers[at]
                headers[at] = (name, _mutated(value, *draw(MUTATION)))
            case "name":
                headers.append((draw(NAMES), draw(st.binary(max_size=140))))
            case _:
                body = _mutated(body, *draw(MUTATION))
    cut = draw(st.integers(0, len(body)))
    return Request(job_id=job_id, token=token, headers=headers, chunks=[body[:cut], body[cut:]])


def genuine(request: Request) -> bool:
    """Return whether fal could have sent this: what was signed is unchanged, byte for byte.

    Hex may be upper case; other headers are ignored.
    """
    body = b"".join(request.chunks)
    signed_headers = [(name, value.lower()) for name, value in request.headers if name in _SIGNED]
    expected = [(name, value.lower()) for name, value in unmutated(request.job_id, body).headers]
    return sorted(expected) == sorted(signed_headers)


_SIGNED = {name for name, _ in unmutated().headers}


class Target:
    """A receiver with a real inbox, called without a network."""

    def __init__(self, loop: asyncio.AbstractEventLoop, redis_url: str) -> None:
        self.loop = loop
        self.redis = Redis.from_url(redis_url)
        inbox = Inbox(self.redis, lambda _ids: None)
        keys, self.capacity = KeySet(self._document, clock=lambda: 0.0), Capacity()
        self.receiver = Receiver(
            settings=receiver_settings(redis_url, "https://rest.fal.ai/jwks.json"),
            keys=keys,
            inbox=inbox,
            metrics=Metrics(keys, self.capacity),
            capacity=self.capacity,
            sources=None,
            clock=lambda: NOW,
        )
        self.writing = loop.create_task(inbox.run())

    async def _document(self) -> bytes:
        return jwks(FAL_KEY)

    def status(self, request: Request) -> int:
        """Return the status with which the receiver answers."""
        return self.loop.run_until_complete(self._status(request))

    async def _status(self, request: Request) -> int:
        pieces = list(request.chunks)
        sent: list[Message] = []

        async def receive() -> Message:
            chunk = pieces.pop(0)
            return {"type": "http.request", "body": chunk, "more_body": bool(pieces)}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "path_params": {"job_id": request.job_id, "token": request.token},
            "headers": request.headers,
        }
        await self.receiver(scope, receive, send)
        assert ["http.response.start", "http.response.body"] == [m["type"] for m in sent]
        return int(sent[0]["status"])

    def close(self) -> None:
        self.writing.cancel()
        self.loop.run_until_complete(asyncio.gather(self.writing, return_exceptions=True))
        self.loop.run_until_complete(self.redis.aclose())
        self.loop.close()


@pytest.fixture
def target(redis_url: str) -> Iterator[Target]:
    """A receiver for one test."""
    with ExitStack() as stack:
        created = Target(asyncio.new_event_loop(), redis_url)
        stack.callback(created.close)
        yield created


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(request=requests())
@example(request=unmutated())
@example(request=unmutated(body=b'{"request_id": "another", "status": "OK"}'))
def test_no_mutation_causes_a_5xx_or_passes_as_genuine(target: Target, request: Request) -> None:
    """Any request gets a known status other than 503, and 200 only if fal signed it."""
    status = target.status(request)
    assert status in set(STATUS.values()) - {503}
    if status == 200:
        assert genuine(request)
    assert (0, 0) == (target.capacity.requests, target.capacity.body_bytes)


def test_the_genuine_request_passes(target: Target) -> None:
    """The target accepts the genuine request; otherwise the test above could not fail."""
    assert 200 == target.status(unmutated())
    assert genuine(unmutated())
    forged = replace(unmutated(), chunks=[b"{}"])
    assert (401, False) == (target.status(forged), genuine(forged))
