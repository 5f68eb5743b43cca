"""Callbacks that arrive whole: answered as those that arrive in pieces, but without a task."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from redis import Redis

from infra.local.redis.server import RedisServer
from tests.factories.callbacks import host, receiver_settings, serving, signed
from tests.faults.waiting import until
from tests.webhook.test_app import REFUSED
from webhook.app import create_app
from webhook.contract import INBOX
from webhook.receiver import Receiver
from webhook.responses import STATUS
from webhook.server.http_protocol import HttpLimits
from webhook.shards import all_keys

Start = Callable[..., httpx.Client]


@pytest.fixture
def key_url() -> Iterator[str]:
    """The address of fal's keys."""
    with host() as key_host:
        yield key_host.url


@pytest.fixture
def start(redis_url: str, key_url: str) -> Iterator[Start]:
    """Start receivers that know fal's keys."""
    with ExitStack() as running:

        def start(
            url: str = redis_url, *, limits: HttpLimits | None = None, **options: object
        ) -> httpx.Client:
            app = create_app(receiver_settings(url, key_url))
            client = running.enter_context(serving(app, limits, **options))
            assert 200 == signed("warm").post(client).status_code  # fetches fal's keys
            return client

        yield start


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The jobs of the callbacks that went through ASGI."""
    jobs: list[str] = []
    through_asgi = Receiver.__call__

    async def note(self: Receiver, scope: dict[str, dict[str, str]], *more: object) -> None:
        jobs.append(scope["path_params"]["job_id"])
        await through_asgi(self, scope, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(Receiver, "__call__", note)
    return jobs


def connected(client: httpx.Client) -> socket.socket:
    """Return a raw connection to the receiver."""
    return socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=20)


def answers(peer: socket.socket, count: int) -> list[str]:
    """Return status line and body of the next answers."""
    received = b""
    while received.count(b"}") < count:
        chunk = peer.recv(65_536)
        assert chunk, received
        received += chunk
    heads = [each.rpartition(b"\r\n\r\n") for each in received.split(b"}")[:count]]
    return [f"{head.splitlines()[0].decode()} {body.decode()}}}" for head, _, body in heads]


ACCEPTED = 'HTTP/1.1 200 OK {"outcome": "accepted"}'


def test_a_whole_callback_needs_no_task(start: Start, asked: list[str], redis_url: str) -> None:
    """Several on one connection, one after the other; each is stored before its answer."""
    client = start()
    with connected(client) as peer, Redis.from_url(redis_url) as redis:
        for number in range(3):
            peer.sendall(signed(f"job-{number}").wire())
            assert [ACCEPTED] == answers(peer, 1)
            assert 2 + number == sum(map(redis.zcard, all_keys(INBOX)))
    # The first one may have to wait for the keys of fal.
    assert set(asked) <= {"warm"}
    page = client.get("/metrics").text
    assert 'falhook_callbacks_total{outcome="accepted"} 4.0' in page
    assert "falhook_callbacks_under_way 0.0" in page
    assert "falhook_callbacks_bytes 0.0" in page


@pytest.mark.parametrize("cut", [1, 40, 400, -300, -1])
def test_a_callback_in_pieces_is_accepted_too(start: Start, asked: list[str], cut: int) -> None:
    """Wherever it is cut; if within its body, it goes through ASGI."""
    client = start()
    wire = signed("job-1").wire()
    with connected(client) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.sendall(wire[:cut])
        client.get("/healthz")  # the first piece has been read
        peer.sendall(wire[cut:])
        assert [ACCEPTED] == answers(peer, 1)
    in_body = wire.index(b"\r\n\r\n") + 4 < cut % len(wire)
    assert in_body == ("job-1" in asked)


def test_callbacks_sent_without_waiting_are_answered_in_order(
    start: Start, asked: list[str]
) -> None:
    """The first is whole; those behind it wait for its answer."""
    bad = signed("job-2", secret="another-secret-0000")
    with connected(start()) as peer:
        peer.sendall(signed("job-1").wire() + bad.wire() + signed("job-3").wire())
        refused = 'HTTP/1.1 404 Not Found {"outcome": "bad_address"}'
        assert [ACCEPTED, refused, ACCEPTED] == answers(peer, 3)
    assert "job-1" not in asked


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_callback_gets_the_same_answer(start: Start, redis_url: str, case: str) -> None:
    """And nothing of it is stored."""
    reason, make = REFUSED[case]
    with connected(start()) as peer, Redis.from_url(redis_url) as redis:
        peer.sendall(make().wire())
        [answer] = answers(peer, 1)
        assert 1 == sum(map(redis.zcard, all_keys(INBOX)))
    assert answer.startswith(f"HTTP/1.1 {STATUS[reason]} ")
    assert answer.endswith(f'{{"outcome": "{reason}"}}')


@pytest.mark.parametrize("line", ["Connection: close", "Expect: 100-continue"])
def test_what_is_not_plain_goes_through_asgi(start: Start, asked: list[str], line: str) -> None:
    """It is answered all the same."""
    wire = signed("job-1").wire().replace(b"Host: receiver", f"Host: receiver\r\n{line}".encode())
    with connected(start()) as peer:
        peer.sendall(wire)
        received = b""
        while b"accepted" not in received:
            received += peer.recv(4_096)
    assert b"HTTP/1.1 200" in received
    assert "job-1" in asked


def test_other_requests_are_the_applications(start: Start) -> None:
    """Other addresses, and POST to those that only have GET."""
    with connected(start()) as peer:
        for line, status in ((b"POST /healthz", b"405"), (b"POST /nowhere", b"404")):
            peer.sendall(line + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
            received = peer.recv(4_096)
            assert received.startswith(b"HTTP/1.1 " + status), received


def test_without_keys_a_callback_waits_for_them(redis_url: str, asked: list[str]) -> None:
    """The first one may arrive before fal's keys."""
    with host() as key_host:
        key_host.answering.clear()
        app = create_app(receiver_settings(redis_url, key_host.url))
        with serving(app) as client, connected(client) as peer:
            peer.sendall(signed("job-1").wire())
            client.get("/healthz")
            key_host.answering.set()
            assert [ACCEPTED] == answers(peer, 1)
    assert ["job-1"] == asked


def test_a_redis_that_hangs_is_answered_503(start: Start, tmp_path: Path) -> None:
    """Within the time limit of the inbox, and nothing stays reserved."""
    with RedisServer.start(tmp_path) as server:
        client = start(server.url)
        with connected(client) as peer:
            os.kill(server.pid, signal.SIGSTOP)
            try:
                peer.sendall(signed("job-1").wire())
                [answer] = answers(peer, 1)
            finally:
                os.kill(server.pid, signal.SIGCONT)
            peer.sendall(signed("job-2").wire())
            again = answers(peer, 1)
        page = client.get("/metrics").text
    assert 'HTTP/1.1 503 Service Unavailable {"outcome": "inbox_unavailable"}' == answer
    assert [ACCEPTED] == again
    assert "falhook_callbacks_under_way 0.0" in page
    assert "falhook_callbacks_bytes 0.0" in page


def test_a_sender_that_hangs_up_costs_nobody_an_answer(start: Start, redis_url: str) -> None:
    """Its callback is stored; those of others in the same batch are answered."""
    client = start()
    with connected(client) as leaving, connected(client) as staying:
        leaving.sendall(signed("job-1").wire())
        leaving.close()
        staying.sendall(signed("job-2").wire())
        assert [ACCEPTED] == answers(staying, 1)
    page = client.get("/metrics").text
    assert "falhook_callbacks_under_way 0.0" in page
    with Redis.from_url(redis_url) as redis:
        assert 3 == sum(map(redis.zcard, all_keys(INBOX)))


def test_an_idle_connection_is_closed(start: Start) -> None:
    """After the time for which connections are kept, at the next check of its limits."""
    with connected(start(limits=HttpLimits(head_seconds=2), timeout_keep_alive=0)) as peer:
        peer.sendall(signed("job-1").wire())
        assert [ACCEPTED] == answers(peer, 1)
        assert b"" == peer.recv(1)


def test_a_callback_under_way_is_answered_before_the_end(key_url: str, tmp_path: Path) -> None:
    """A server that stops waits for it, and then closes its connection."""
    with RedisServer.start(tmp_path) as server, ExitStack() as running:
        app = create_app(receiver_settings(server.url, key_url))
        client = running.enter_context(serving(app))
        assert 200 == signed("warm").post(client).status_code
        with connected(client) as peer:
            os.kill(server.pid, signal.SIGSTOP)
            peer.sendall(signed("job-1").wire())
            under_way = "falhook_callbacks_under_way 1.0"
            until(lambda: under_way in client.get("/metrics").text, "it is under way", 2)
            stopping = threading.Thread(target=running.close)
            stopping.start()
            until(lambda: not accepts(client), "the server stops", 10)
            os.kill(server.pid, signal.SIGCONT)
            received = b""
            while chunk := peer.recv(4_096):
                received += chunk
            stopping.join()
    assert b"connection: close\r\n" in received
    assert received.startswith(b"HTTP/1.1 200")


def accepts(client: httpx.Client) -> bool:
    """Return whether the receiver takes new connections."""
    try:
        connected(client).close()
    except OSError:
        return False
    return True
