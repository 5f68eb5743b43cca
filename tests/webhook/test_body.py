"""The body of a callback is read within limits and parsed strictly."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive

from webhook.body import MAX_BODY, read_body, request_id_of
from webhook.capacity import Capacity, Overloaded
from webhook.verification.signature import Rejected

pytestmark = pytest.mark.anyio
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@pytest.fixture
def anyio_backend() -> str:
    """The receiver runs on asyncio."""
    return "asyncio"


def messages(*chunks: bytes, ends: bool = True) -> Receive:
    """Return a request whose body arrives in these pieces; without `ends`, it never ends."""
    pieces: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
    ]
    if ends:
        pieces.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> Message:
        if pieces:
            return pieces.pop(0)
        never: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        return await never

    return receive


@given(st.lists(st.binary(max_size=50), max_size=8))
def test_the_pieces_are_the_body(chunks: list[bytes]) -> None:
    """The body is the same however it is split, and the capacity counts every byte."""
    capacity = Capacity()
    assert b"".join(chunks) == asyncio.run(read_body(messages(*chunks), [], capacity))
    assert sum(map(len, chunks)) == capacity.body_bytes


async def refusal(receive: Receive, capacity: Capacity, length: bytes = b"5") -> str:
    """Return the reason code that reading ends with; no bytes stay reserved."""
    with pytest.raises(Rejected) as rejected:
        await read_body(receive, [(b"content-length", length)], capacity, seconds=0.05)
    assert 0 == capacity.body_bytes
    return rejected.value.reason


async def test_the_size_limit_does_not_depend_on_content_length() -> None:
    """A large Content-Length is refused unread; a large body is refused while it arrives."""
    half = b"x" * (MAX_BODY // 2)
    assert "too_large" == await refusal(messages(), Capacity(), str(MAX_BODY + 1).encode())
    assert "too_large" == await refusal(messages(), Capacity(), b"9" * 30)
    assert "too_large" == await refusal(messages(half, half, b"x"), Capacity())


async def test_a_body_that_stalls_is_slow() -> None:
    """A body that never ends is refused at the time limit, or when the peer hangs up."""

    async def gone() -> Message:
        return {"type": "http.disconnect"}

    assert "slow_body" == await refusal(messages(b"begun", ends=False), Capacity())
    assert "slow_body" == await refusal(gone, Capacity())


async def test_a_body_beyond_the_capacity_is_refused() -> None:
    """It raises Overloaded, and the bytes reserved for it are free again."""
    capacity = Capacity(max_bytes=100)
    capacity.hold(60)
    with pytest.raises(Overloaded):
        await read_body(messages(b"x" * 30, b"x" * 30), [], capacity)
    assert 60 == capacity.body_bytes


def test_the_capacity_limits_requests() -> None:
    """One more request raises Overloaded until another one leaves."""
    capacity = Capacity(max_requests=1)
    capacity.enter()
    with pytest.raises(Overloaded):
        capacity.enter()
    capacity.leave()
    capacity.enter()


@given(JSON)
def test_only_an_object_with_the_documented_names_has_a_request_id(value: object) -> None:
    """Other JSON is a bad body."""
    body = json.dumps(value).encode()
    with pytest.raises(Rejected):
        request_id_of(body)
    whole = json.dumps({"request_id": "r-1", "status": "ERROR", "payload": value}).encode()
    assert "r-1" == request_id_of(whole)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_request_id_or_a_bad_body(body: bytes) -> None:
    """No other exception is raised."""
    try:
        request_id_of(body)
    except Rejected as rejected:
        reason = rejected.reason
    else:
        reason = "bad_body"
    assert "bad_body" == reason
