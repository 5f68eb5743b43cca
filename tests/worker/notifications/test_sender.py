"""One attempt: where it connects, what it reads, and how long it takes at most."""

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from urllib.parse import SplitResult, urlsplit

import pytest
import trustme

from tests.factories.receivers_of_webhooks import Received, Reply, receiver
from worker.notifications.sender import Answer, Sender
from worker.notifications.target import TargetRules

LOOPBACK = TargetRules(loopback=True)
HEADERS = {"webhook-id": "msg_1"}


class _Anywhere(TargetRules):
    """Rules of a test of names: any address of this machine is a public one."""

    def allows(self, host: str, address: str) -> bool:
        return address.startswith("127.0.0.")


def post(url: str, sender: Sender | None = None) -> Answer:
    """POST a body."""
    used = sender or Sender(LOOPBACK)
    try:
        return used.post(url, b"{}", HEADERS)
    finally:
        used.close()


@contextmanager
def talking(talk: Callable[[socket.socket], object]) -> Iterator[str]:
    """Run a server that reads the head of a request and then talks as it likes; yield its URL."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                peer, _ = listener.accept()
                threading.Thread(target=_talk, args=(peer, talk), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    with listener:
        yield f"http://localhost:{listener.getsockname()[1]}/"


def _talk(peer: socket.socket, talk: Callable[[socket.socket], object]) -> None:
    with suppress(OSError), peer:
        request = b""
        # All of it: a connection that is closed over unread bytes is reset.
        while not request.endswith(b"{}"):
            request += peer.recv(65_536)
        talk(peer)


def test_a_success() -> None:
    """The body, the content type and the headers arrive; the answer's status and text come back."""
    with receiver(lambda _request: Reply(201, body=b"thanks")) as target:
        answer = post(target.url)
    [request] = target.received
    assert (201, "", "thanks") == (answer.status, answer.error, answer.text)
    names = ("content-type", "webhook-id", "accept-encoding", "user-agent")
    expected = ["application/json", "msg_1", "identity", "falhook"]
    assert expected == [request.headers[name] for name in names]
    assert (b"{}", "/hooks") == (request.body, request.path)


def test_redirects_are_not_followed() -> None:
    """A 3xx is the answer; its address gets nothing."""
    with receiver() as other:
        location = {"Location": other.url}
        with receiver(lambda _request: Reply(307, location)) as target:
            answer = post(target.url)
    assert (307, 0) == (answer.status, other.connections)


def test_the_name_is_kept_over_tls() -> None:
    """The connection leads to the checked address; SNI, certificate and Host have the name."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("hooks.example.com").configure_cert(server)
    names: list[str | None] = []
    server.sni_callback = lambda _socket, name, _context: names.append(name)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with receiver(tls=server) as target:
        port = target.url.rpartition(":")[2].partition("/")[0]
        rules = _ports_of_tests("hooks.example.com")
        sender = Sender(rules, resolve=lambda _host, _port: ["127.0.0.1"], ssl_context=trusting)
        answer = post(f"https://hooks.example.com:{port}/", sender)
        wrong = Sender(
            _ports_of_tests("other.example.com"),
            resolve=lambda _host, _port: ["127.0.0.1"],
            ssl_context=trusting,
        )
        refused = post(f"https://other.example.com:{port}/", wrong)
    assert 200 == answer.status, answer
    assert ["hooks.example.com", "other.example.com"] == names
    assert f"hooks.example.com:{port}" == target.received[0].headers["host"]
    assert ("tls", 1) == (refused.error, len(target.received))


def _ports_of_tests(name: str) -> TargetRules:
    """Return rules that allow any port under this name, as loopback has it."""

    class Rules(_Anywhere):
        def allows_loopback(self, host: str) -> bool:
            return host == name

    return Rules()


def test_a_name_that_changes_its_answer_gains_nothing() -> None:
    """A resolver that answers with a public address first gets no connection to another one."""
    with receiver() as target:
        port = target.url.rpartition(":")[2].partition("/")[0]
        asked: list[str] = []

        def resolve(host: str, _port: int) -> Sequence[str]:
            asked.append(host)
            return ["192.0.2.1"] if len(asked) == 1 else ["127.0.0.1"]

        class Rules(TargetRules):
            def allows_loopback(self, host: str) -> bool:
                return False

            def check(self, url: str) -> SplitResult:
                return urlsplit(url)

            def allows(self, host: str, address: str) -> bool:
                # The documentation's network stands for a public one that nobody has.
                return address == "192.0.2.1" or super().allows(host, address)

        sender = Sender(Rules(), resolve=resolve, budget=1.0)
        answers = [
            sender.post(f"http://rebinding.example.com:{port}/", b"{}", {}) for _ in range(5)
        ]
        sender.close()
    assert "forbidden_address" not in answers[0].error
    assert ["forbidden_address"] * 4 == [answer.error for answer in answers[1:]]
    # Resolved once for each connection, and never connected to what was refused.
    assert (5, 0) == (len(asked), target.connections)


def test_every_address_of_an_answer_is_checked() -> None:
    """One forbidden address among public ones is enough, and nothing is connected to."""
    with receiver() as target:
        port = target.url.rpartition(":")[2].partition("/")[0]
        for addresses in (["93.184.215.14", "127.0.0.1"], ["127.0.0.1", "93.184.215.14"]):
            sender = Sender(TargetRules(http=True), resolve=lambda *_: addresses)  # noqa: B023
            answer = sender.post("http://mixed.example.com/", b"{}", {})
            sender.close()
            assert "forbidden_address" == answer.error
        assert ("forbidden_address", 0) == (
            post(f"http://127.0.0.1:{port}/", Sender(TargetRules(http=True))).error,
            target.connections,
        )


@pytest.mark.parametrize("host", ["0x7f.1", "2130706433", "127.1"])
def test_other_spellings_of_loopback_are_refused(host: str) -> None:
    """What a resolver reads as 127.0.0.1 is refused, also as a name."""
    assert "forbidden_address" == post(f"https://{host}/", Sender(TargetRules())).error


def test_a_second_address_is_tried() -> None:
    """If the first address does not answer, the next one of the answer is connected to."""
    with receiver() as target:
        port = target.url.rpartition(":")[2].partition("/")[0]
        sender = Sender(
            _ports_of_tests("two.example.com"), resolve=lambda *_: ["127.0.0.2", "127.0.0.1"]
        )
        assert 200 == post(f"http://two.example.com:{port}/", sender).status


def _fails(_host: str, _port: int) -> Sequence[str]:
    raise OSError("no such name")


def _hangs(_host: str, _port: int) -> Sequence[str]:
    time.sleep(3.0)
    return ["93.184.215.14"]


@pytest.mark.parametrize("resolve", [_fails, _hangs, lambda *_: []])
def test_names_without_an_address(resolve: Callable[[str, int], Sequence[str]]) -> None:
    """A name that is unknown, or whose resolver does not answer in time, is `dns`."""
    sender = Sender(TargetRules(), resolve=resolve, budget=0.5)
    began = time.monotonic()
    assert "dns" == post("https://hooks.example.com/", sender).error
    assert time.monotonic() - began < 2.5


def _drips(peer: socket.socket) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\n")
    for _ in range(600):
        peer.sendall(b"X")
        time.sleep(0.05)


def _is_silent(peer: socket.socket) -> None:
    peer.recv(1)


def _is_no_http(peer: socket.socket) -> None:
    peer.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")


def _continues(peer: socket.socket) -> None:
    while True:
        peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("talk", "error"),
    [
        (_drips, "timeout"),
        (_is_silent, "timeout"),
        (_continues, "timeout"),
        (_is_no_http, "protocol"),
        (lambda _peer: None, "protocol"),
    ],
)
def test_peers_that_do_not_answer(talk: Callable[[socket.socket], object], error: str) -> None:
    """Headers byte by byte, silence and what is no HTTP end with the budget, each with a class."""
    with talking(talk) as url:
        began = time.monotonic()
        answer = post(url, Sender(LOOPBACK, budget=0.6))
    assert (0, error) == (answer.status, answer.error)
    assert time.monotonic() - began < 10.0


def test_a_refused_connection() -> None:
    """Nobody listens: `connect`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert "connect" == post(f"http://localhost:{port}/").error


def test_a_kilobyte_is_read_and_nothing_decompressed() -> None:
    """Of an endless or compressed answer the first kilobyte is read, as it came."""
    bomb = gzip.compress(b"0" * 50_000_000)

    def compressed(_request: Received) -> Reply:
        return Reply(500, {"Content-Encoding": "gzip"}, bomb)

    with receiver(compressed) as target:
        answer = post(target.url)
    assert (500, True) == (answer.status, len(answer.text) <= 1_024)

    def endless(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            peer.sendall(b"400\r\n" + b"e" * 1_024 + b"\r\n")

    with talking(endless) as url:
        answer = post(url)
    assert (500, "e" * 1_024) == (answer.status, answer.text)


def test_a_success_whose_body_does_not_come_counts() -> None:
    """The status decides: a body that drips or breaks off holds nothing up."""

    def drips(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")
        for _ in range(600):
            peer.sendall(b"x")
            time.sleep(0.05)

    with talking(drips) as url:
        began = time.monotonic()
        answer = post(url)
    assert (200, "") == (answer.status, answer.error)
    assert time.monotonic() - began < 10.0


def test_connections_are_used_again() -> None:
    """Many messages to one receiver share a connection."""
    sender = Sender(LOOPBACK)
    with receiver() as target:
        for _ in range(5):
            assert 200 == sender.post(target.url, b"{}", HEADERS).status
        sender.close()
    assert (5, 1) == (len(target.received), target.connections)
