"""The server's limits on what a peer may send, keep open or wait for."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest
from redis import Redis

from tests.factories.callbacks import Delivery, host, receiver_settings, serving, signed
from webhook.app import create_app
from webhook.body import MAX_BODY
from webhook.contract import INBOX
from webhook.server.http_protocol import HttpLimits
from webhook.shards import all_keys

Start = Callable[..., httpx.Client]


@pytest.fixture
def start(redis_url: str) -> Iterator[Start]:
    """Start receivers whose connections have these limits."""
    with ExitStack() as running:
        jwks_url = running.enter_context(host()).url

        def start(limits: HttpLimits | None = None, **options: object) -> httpx.Client:
            settings = receiver_settings(redis_url, jwks_url)
            app = create_app(settings)
            return running.enter_context(serving(app, limits, **options))

        yield start


def connected(client: httpx.Client) -> socket.socket:
    """Return a raw connection to the receiver."""
    address = (client.base_url.host, client.base_url.port or 80)
    return socket.create_connection(address, timeout=10)


def rest(peer: socket.socket) -> bytes:
    """Return everything up to the server's close; fail if it does not close."""
    received = b""
    try:
        while chunk := peer.recv(65_536):
            received += chunk
    except ConnectionResetError:
        pass
    return received


def head(delivery: Delivery, *lines: str) -> bytes:
    """Return the request's head with these header lines instead of Content-Length."""
    whole = delivery.wire().partition(b"\r\n\r\n")[0]
    kept = [line for line in whole.split(b"\r\n") if not line.startswith(b"Content-Length")]
    return b"\r\n".join([*kept, *(line.encode() for line in lines), b"", b""])


def chunked(body: bytes, size: int) -> bytes:
    """Return the body in the chunked coding, in chunks of `size`."""
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def count(client: httpx.Client, outcome: str) -> int:
    """Return how often the receiver counted this outcome."""
    name = f'falhook_callbacks_total{{outcome="{outcome}"}}'
    [line] = [line for line in client.get("/metrics").text.splitlines() if line.startswith(name)]
    return int(float(line.split()[1]))


@pytest.mark.parametrize(
    "sent",
    [b"", b"P", b"POST /webhooks/fal/job-1/1.x HTTP/1.1\r\nHost: x\r\n", b"\r\n\r\n", b"GET / HT"],
)
def test_a_head_that_does_not_end_is_cut_off(start: Start, sent: bytes) -> None:
    """A peer that sends no complete head is cut off at the time limit."""
    client = start(HttpLimits(head_seconds=0.3))
    with connected(client) as peer:
        peer.sendall(sent)
        assert b"" == rest(peer)
    assert 200 == client.get("/healthz").status_code


def test_a_second_request_has_the_same_time_limit(start: Start) -> None:
    """Half a request after an answered one does not keep the connection open."""
    with connected(start(HttpLimits(head_seconds=0.3))) as peer:
        peer.sendall(signed().wire() + b"POST /web")
        assert 1 == rest(peer).count(b"HTTP/1.1 200")


def test_a_body_that_does_not_arrive_is_cut_off(start: Start) -> None:
    """The connection is closed, and the callback counts as slow."""
    client = start(HttpLimits(head_seconds=0.5, body_seconds=0.5))
    with connected(client) as peer:
        peer.sendall(signed().wire()[:-100])
        assert b"" == rest(peer)
    assert 1 == count(client, "slow_body")


def test_a_refused_peer_cannot_send_for_ever(start: Start) -> None:
    """It is answered immediately; the rest of its body is discarded until the time limit."""
    client = start(HttpLimits(head_seconds=0.5, body_seconds=0.5))
    with connected(client) as peer:
        peer.sendall(head(signed(secret="another-secret-0000"), "Content-Length: 100000"))
        assert rest(peer).startswith(b"HTTP/1.1 404")


def test_idle_connections_are_closed(start: Start) -> None:
    """A connection kept alive is closed after a while without data."""
    with connected(start(timeout_keep_alive=1)) as peer:
        peer.sendall(signed().wire())
        assert b"accepted" in rest(peer)


@pytest.mark.parametrize(
    "flood",
    [
        b"POST /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nX-Long: " + b"a" * 100_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nX-Endless: " + b"a" * 100_000,
        b"POST / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000 + b"\r\n",
        b"POST / HTTP/1.1\r\n" + b"a" * 100_000 + b": b\r\n\r\n",
        b"a" * 100_000,
    ],
    ids=["path", "header", "endless header", "many headers", "header name", "method"],
)
def test_a_head_is_limited_in_size(start: Start, flood: bytes) -> None:
    """Beyond 16 KB it is refused and the connection closed, whichever part is large."""
    client = start()
    with connected(client) as peer:
        peer.sendall(flood)
        assert rest(peer).startswith((b"HTTP/1.1 400", b""))
    assert (200, 0) == (client.get("/healthz").status_code, count(client, "accepted"))


def test_trailers_are_limited_in_size(start: Start) -> None:
    """Headers after a chunked body count like those before it."""
    with connected(start()) as peer:
        body = chunked(signed().body, 100).removesuffix(b"\r\n")
        request = head(signed(), "Transfer-Encoding: chunked") + body
        peer.sendall(request + b"a: b\r\n" * 20_000 + b"\r\n")
        assert b"accepted" not in rest(peer)


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_a_chunked_body_without_length_is_accepted(start: Start, size: int) -> None:
    """RFC 9112 allows it, so it is read and verified like other bodies."""
    delivery = signed()
    with connected(start()) as peer:
        request = head(delivery, "Transfer-Encoding: chunked", "Connection: close")
        peer.sendall(request + chunked(delivery.body, size))
        assert b"accepted" in rest(peer)


def test_a_chunked_body_has_the_same_size_limit(start: Start) -> None:
    """Its bytes are counted as they arrive; at the limit it gets 413 and is closed."""
    client = start(HttpLimits(head_seconds=2.0, body_seconds=2.0))
    with connected(client) as peer:
        peer.sendall(head(signed(), "Transfer-Encoding: chunked"))
        for _ in range(80):
            peer.sendall(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
        assert b"too_large" in rest(peer)
    assert (1, 0) == (count(client, "too_large"), count(client, "accepted"))


def test_bytes_beyond_content_length_are_another_request(start: Start) -> None:
    """The body ends at Content-Length; the rest is not part of the callback."""
    delivery = signed()
    with connected(start()) as peer:
        peer.sendall(head(delivery, "Content-Length: 20") + delivery.body)
        answer = rest(peer)
    assert b"bad_signature" in answer
    assert b"accepted" not in answer


def test_length_and_chunks_together_are_refused(start: Start) -> None:
    """RFC 9112, 6.1: such a message may smuggle a second request."""
    delivery = signed()
    with connected(start()) as peer:
        both = (f"Content-Length: {len(delivery.body)}", "Transfer-Encoding: chunked")
        peer.sendall(head(delivery, *both) + chunked(delivery.body, 100))
        assert rest(peer).startswith(b"HTTP/1.1 400")


def test_pipelined_callbacks_are_answered_in_order(start: Start, redis_url: str) -> None:
    """Requests in one packet are all handled, and answered in their order."""
    last = head(signed("job-3", secret="another-secret-0000"), "Connection: close")
    with connected(start()) as peer:
        peer.sendall(signed("job-1").wire() + signed("job-2").wire() + last)
        statuses = [line[9:12] for line in rest(peer).split(b"HTTP/1.1")[1:]]
    assert 3 == len(statuses)
    with Redis.from_url(redis_url) as redis:
        assert 2 == sum(map(redis.zcard, all_keys(INBOX)))


def test_endless_pipelining_is_cut_off(start: Start) -> None:
    """A connection cannot queue hundreds of requests."""
    client = start()
    with connected(client) as peer:
        peer.sendall(b"".join(signed(f"job-{n}").wire() for n in range(200)))
        assert rest(peer).count(b"HTTP/1.1 200") < 200
    assert 200 == client.get("/healthz").status_code


def test_connections_beyond_the_limit_get_503(start: Start) -> None:
    """503 with Retry-After comes before a byte is read; it ends once others have closed."""
    client = start(HttpLimits(connections=3))
    with ExitStack() as others:
        peers = [others.enter_context(connected(client)) for _ in range(2)]
        for peer in peers:
            peer.sendall(signed().wire())
            assert peer.recv(4_096).startswith(b"HTTP/1.1 200")
        with connected(client) as peer:
            answer = rest(peer)
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 5\r\n" in answer
    assert 200 == signed().post(client).status_code


def test_the_largest_body_is_accepted(start: Start) -> None:
    """A body of exactly 4 MB is within the limits of the connection."""
    frame = len(signed(body=b"").body) + 2
    text = b'{"request_id": "019a9d3e-5b7c-7d10-8f42-0c6a4e21b7aa", "status": "OK", "x": "%b"}'
    body = text % (b"x" * (MAX_BODY - len(text) + frame))
    assert MAX_BODY == len(body)
    assert 200 == signed(body=body).post(start()).status_code


def test_websockets_are_not_supported(start: Start) -> None:
    """A request to upgrade is answered as plain HTTP."""
    with connected(start()) as peer:
        lines = ("Connection: Upgrade, close", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
        peer.sendall(head(signed(), *lines))
        assert b"101" not in rest(peer).partition(b"\r\n")[0]
