"""The optional check of the caller's address."""

import asyncio
import json
from ipaddress import ip_address, ip_network

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories.callbacks import host, receiver_settings, serving, signed
from webhook.app import create_app
from webhook.verification.source_addresses import (
    MAX_AGE,
    REFRESH_EVERY,
    SourceAddresses,
    client_address,
    parse_ranges,
)

pytestmark = pytest.mark.anyio
PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.fixture
def anyio_backend() -> str:
    """The receiver runs on asyncio."""
    return "asyncio"


def document(*ranges: str) -> bytes:
    """Return fal's document, with an unknown field."""
    return json.dumps({"webhook_ip_ranges": ranges, "more": 1}).encode()


class MetaHost:
    """fal's host of addresses as a function; `answer` is a document or an error."""

    def __init__(self, answer: bytes | Exception) -> None:
        self.answer = answer

    async def __call__(self) -> bytes:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        # A peer that is not a trusted proxy may forge the header.
        ("198.51.100.1", [b"203.0.113.7"], "198.51.100.1"),
        ("10.1.2.3", [b"203.0.113.7"], "203.0.113.7"),
        ("10.1.2.3", [b"203.0.113.7, 198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", [b"203.0.113.7", b"198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", [b"198.51.100.1, 203.0.113.7, 10.9.9.9"], "203.0.113.7"),
        ("10.1.2.3", [b"203.0.113.7:4711"], "203.0.113.7"),
        ("fd00::1", [b"[2001:db8::7]:4711"], "2001:db8::7"),
        ("fd00::1", [b"2001:db8::7"], "2001:db8::7"),
        ("::ffff:203.0.113.7", [], "203.0.113.7"),
        ("::ffff:10.1.2.3", [b"203.0.113.7"], "203.0.113.7"),
        ("10.1.2.3", [], None),
        ("10.1.2.3", [b"unknown"], None),
        ("10.1.2.3", [b"203.0.113.7, unknown"], None),
        (None, [b"203.0.113.7"], None),
        ("", [], None),
    ],
)
def test_the_caller_is_the_last_address_that_is_not_a_proxy(
    peer: str | None, forwarded: list[bytes], expected: str | None
) -> None:
    """Trusted proxies are skipped from the end; an unknown address is None."""
    address = client_address(peer, forwarded, PROXIES)
    assert (expected and ip_address(expected)) == address


@given(st.text(max_size=60), st.lists(st.binary(max_size=60), max_size=3))
def test_any_header_is_an_address_or_none(peer: str, forwarded: list[bytes]) -> None:
    """No header of a peer raises an exception."""
    client_address(peer, forwarded, PROXIES)
    client_address("10.0.0.1", forwarded, PROXIES)


@pytest.mark.parametrize(
    "broken",
    [b"", b"[]", b"{}", document(), document("fal"), document("203.0.113.7/8"), b"[" * 60_000],
)
def test_an_invalid_document_is_refused(broken: bytes) -> None:
    """An empty list is refused too: no caller could pass."""
    with pytest.raises(ValueError):
        parse_ranges(broken)


async def test_only_published_addresses_pass() -> None:
    """Only callers within fal's networks pass."""
    sources = SourceAddresses(MetaHost(document("203.0.113.7/32", "2001:db8::/32")), trusted=())
    await sources.refresh()
    expected = {"203.0.113.7": True, "203.0.113.8": False, "2001:db8::1": True, "::1": False}
    assert expected == {peer: sources.admit(peer, []) for peer in expected}


@pytest.mark.parametrize("fault", [OSError("away"), ValueError("500"), TimeoutError()])
async def test_all_callers_pass_while_the_addresses_are_unknown(fault: Exception) -> None:
    """All pass before the first fetch and once the addresses are older than a day."""
    now = [0.0]
    meta = MetaHost(fault)
    sources = SourceAddresses(meta, trusted=(), clock=lambda: now[0])
    await sources.refresh()
    assert sources.admit("198.51.100.1", [])
    meta.answer = document("203.0.113.7/32")
    await sources.refresh()
    meta.answer = fault
    await sources.refresh()
    now[0] = MAX_AGE - 1
    assert not sources.admit("198.51.100.1", [])
    now[0] = MAX_AGE + 1
    assert sources.admit("198.51.100.1", [])


async def test_an_unknown_caller_passes() -> None:
    """Behind a proxy that sends no X-Forwarded-For, the signature decides."""
    sources = SourceAddresses(MetaHost(document("203.0.113.7/32")), trusted=PROXIES)
    await sources.refresh()
    assert sources.admit("10.0.0.1", [])
    assert not sources.admit("10.0.0.1", [(b"x-forwarded-for", b"198.51.100.1")])


async def test_addresses_are_refreshed_in_the_background() -> None:
    """They are fetched every REFRESH_EVERY seconds, after a failure too."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await SourceAddresses(MetaHost(OSError("away")), trusted=()).run(sleep=sleep)
    assert [REFRESH_EVERY] * 2 == pauses


@pytest.mark.parametrize(
    ("published", "proxies", "forwarded", "expected"),
    [
        ("127.0.0.1/32", "", "", (200, "accepted")),
        ("203.0.113.7/32", "", "203.0.113.7", (401, "foreign_source")),
        ("203.0.113.7/32", "127.0.0.1", "203.0.113.7", (200, "accepted")),
        ("203.0.113.7/32", "127.0.0.0/8", "203.0.113.7, 198.51.100.1", (401, "foreign_source")),
    ],
)
def test_the_receiver_refuses_other_callers(
    redis_url: str, published: str, proxies: str, forwarded: str, expected: tuple[int, str]
) -> None:
    """With FALHOOK_META_URL, a valid signature from another address is refused."""
    with host() as keys, host(document(published)) as meta:
        settings = receiver_settings(
            redis_url,
            keys.url,
            FALHOOK_META_URL=meta.url,
            FALHOOK_TRUSTED_PROXIES=proxies,
        )
        with serving(create_app(settings)) as client:
            assert meta.arrivals.acquire(timeout=10)
            # The document was requested, but until it has arrived all callers pass.
            answers = (answer(client, forwarded) for _ in range(500))
            assert expected in answers
            assert expected == answer(client, forwarded)


def answer(client: httpx.Client, forwarded: str) -> tuple[int, str]:
    """Return the answer to a valid callback that a proxy forwarded."""
    delivery = signed()
    headers = {**delivery.headers, "X-Forwarded-For": forwarded}
    response = client.post(delivery.path, content=delivery.body, headers=headers)
    return response.status_code, response.json()["outcome"]
