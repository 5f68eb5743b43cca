"""Legal HTTP that names another protocol, or has blanks after values, is served as HTTP/1.1."""

from collections.abc import Iterator

import httpx
import pytest

from tests.factories.callbacks import host, receiver_settings, serving, signed
from tests.webhook.server.test_http_protocol import chunked, connected, head, rest
from webhook.app import create_app

OFFER = ("Connection: Upgrade, HTTP2-Settings, close", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")


@pytest.fixture
def client(redis_url: str) -> Iterator[httpx.Client]:
    """A client of a receiver."""
    with host() as keys, serving(create_app(receiver_settings(redis_url, keys.url))) as served:
        yield served


@pytest.mark.parametrize("chunk", [1, 7, 100_000])
@pytest.mark.parametrize("offer", [OFFER, ("Connection: close, upgrade", "Upgrade: websocket")])
def test_an_offer_of_another_protocol_is_ignored(
    client: httpx.Client, offer: tuple[str, ...], chunk: int
) -> None:
    """The request is served with its body, however its bytes arrive."""
    delivery = signed()
    length = f"Content-Length: {len(delivery.body)}"
    request = head(delivery, length, *offer) + delivery.body
    with connected(client) as peer:
        for start in range(0, len(request), chunk):
            peer.sendall(request[start : start + chunk])
        answer = rest(peer)
    assert answer.startswith(b"HTTP/1.1 200")
    assert 1 == answer.count(b"HTTP/1.1")


def test_an_offer_with_a_chunked_body(client: httpx.Client) -> None:
    """The body may be chunked, and the next request follows on the same connection."""
    delivery = signed()
    first = head(delivery, "Transfer-Encoding: chunked", "Connection: Upgrade", "Upgrade: h2c")
    second = head(delivery, f"Content-Length: {len(delivery.body)}", "Connection: close")
    with connected(client) as peer:
        peer.sendall(first + chunked(delivery.body, 50) + second + delivery.body)
        answers = rest(peer)
    assert 2 == answers.count(b"HTTP/1.1 200")


def test_blanks_after_values_do_not_count(client: httpx.Client) -> None:
    """A proxy may leave blanks and tabs after a header's value (RFC 9110, 5.5)."""
    delivery = signed()
    length = f"Content-Length: {len(delivery.body)}"
    lines = head(delivery, length, "Connection: close").split(b"\r\n")
    blanks = [line + b" \t" if b": " in line else line for line in lines]
    with connected(client) as peer:
        peer.sendall(b"\r\n".join(blanks) + delivery.body)
        assert rest(peer).startswith(b"HTTP/1.1 200")
