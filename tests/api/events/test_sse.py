"""Streams of events over real connections."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from api.events.sse import Timing
from tests.api.events.conftest import Happen
from tests.factories.event_streams import JOBS_URL, EventServer, StreamClient, serving_events
from tests.faults.waiting import until
from webhook.server.http_protocol import HttpLimits
from webhook.shards import key_of
from worker.jobs.job import JobState
from worker.jobs.store import EVENTS, JobStore

Serve = Callable[..., EventServer]
FAST = Timing(pace=0.01, ping=0.2)
# More than the kernel and the server buffer for one connection of a small buffer.
LARGE = "x" * 100_000


@pytest.fixture
def serve(redis_url: str) -> Iterator[Serve]:
    """A function that starts a server of streams."""
    with ExitStack() as running:

        def serve(timing: Timing = FAST, **options: Any) -> EventServer:
            return running.enter_context(serving_events(redis_url, timing=timing, **options))

        yield serve


def test_events_arrive_as_they_happen(serve: Serve, happen: Happen) -> None:
    """A client gets those from its connection on, as JSON without inputs."""
    happen("before")
    with StreamClient(serve().port) as client:
        happen(to=JobState.CANCELLED)
        name, event = next(client.frames())
    assert event.pop("at") > 0
    assert {
        "id": "job1",
        "event": client.last_id,
        "name": "moved",
        "from": "QUEUED",
        "to": "CANCELLED",
        "state": "CANCELLED",
    } == event
    assert ("message", "no-store", "no", "text/event-stream; charset=utf-8") == (
        name,
        *map(client.response.headers.get, ("cache-control", "x-accel-buffering", "content-type")),
    )


def test_a_client_that_comes_back_gets_what_it_missed(serve: Serve, happen: Happen) -> None:
    """Nothing is lost between two connections, and what may be repeated has the same id."""
    server = serve()
    with StreamClient(server.port) as client:
        happen("a")
        seen = client.events(2)
    happen("b", job="job2")
    happen("c")
    with StreamClient(server.port, last_id=client.last_id) as client:
        again = client.events(5)
        happen("d")
        assert ["d"] == client.names(1)
    assert (["created", "a", "created", "b", "c"], seen) == (
        [event["name"] for event in again],
        again[:2],
    )


def test_a_client_knows_its_place_before_the_first_event(serve: Serve, happen: Happen) -> None:
    """One that had none when its connection broke still gets the next ones."""
    happen("before", job="job2")
    server = serve()
    with StreamClient(server.port) as client:
        client.await_ping()
    happen("missed")
    with StreamClient(server.port, last_id=client.last_id) as client:
        assert ["created", "before", "created", "missed"] == client.names(4)


def test_pings_move_the_place_of_a_client_that_wants_little(serve: Serve, happen: Happen) -> None:
    """So that events which it does not want cannot push its place out of the streams."""
    server = serve()
    first = server.fan_out.frontier
    with StreamClient(server.port, "job=other") as client:
        happen("a")
        until(lambda: server.fan_out.frontier != first, "the event was read", 20)
        client.await_ping()
        client.await_ping()
        assert str(server.fan_out.frontier) == client.last_id


@pytest.mark.parametrize("resume", [False, True])
def test_tenants_see_only_their_own_events(serve: Serve, happen: Happen, *, resume: bool) -> None:
    """Live and when they come back."""
    server = serve()
    last_id = "1-0@00" if resume else ""

    def write() -> None:
        happen("a", job="ours")
        happen("b", job="theirs", tenant="acme")
        happen("c", job="ours")

    if resume:
        write()
    with (
        StreamClient(server.port, last_id=last_id) as ours,
        StreamClient(server.port, "tenant=acme", last_id=last_id) as theirs,
    ):
        if not resume:
            write()
        assert (["created", "a", "c"], ["created", "b"]) == (ours.names(3), theirs.names(2))
        happen("d", job="theirs", tenant="acme")
        happen("e", job="ours")
        assert (["e"], ["d"]) == (ours.names(1), theirs.names(1))


def test_forgotten_events_are_announced_as_a_gap(
    serve: Serve, happen: Happen, records: JobStore
) -> None:
    """With the address of the job list; then the stream goes on."""
    happen("a")
    server = serve()
    stream = key_of("job1", EVENTS)
    records.redis.xtrim(stream, maxlen=1, approximate=False)
    with StreamClient(server.port, last_id="1000-0@00") as client:
        frames = client.frames()
        assert [("gap", {"jobs": JOBS_URL}), "a"] == [next(frames), next(frames)[1]["name"]]
        happen("b")
        assert "b" == next(frames)[1]["name"]


def test_a_slow_client_is_reset_and_comes_back_without_loss(serve: Serve, happen: Happen) -> None:
    """The server keeps a bounded number of events for it, and it gets each of them in the end."""
    server = serve(Timing(pace=0.01, send=60.0))
    count = 700
    seen: list[str] = []
    with StreamClient(server.port, "name=created", buffer=4_096) as client:
        for number in range(count):
            happen(job=f"{number:04d}" + LARGE[:900])
        frames = client.frames()
        for name, event in frames:
            if name == "reset":
                break
            seen.append(event["id"])
        assert next(frames, None) is None
    assert 0 < len(seen) < count
    with StreamClient(server.port, "name=created", last_id=client.last_id) as client:
        frames = client.frames()
        while len(set(seen)) < count:
            name, event = next(frames)
            assert "message" == name
            seen.append(event["id"])


def test_a_client_that_stops_reading_is_dropped(serve: Serve, happen: Happen) -> None:
    """A send that takes too long ends the connection, with what is still unread."""
    server = serve(Timing(pace=0.01, send=0.5))
    with StreamClient(server.port, buffer=4_096) as stopped, StreamClient(server.port) as reads:
        frames = reads.frames()

        def dropped() -> bool:
            happen(job=f"{len(seen)}" + LARGE[:30_000])
            seen.append(next(frames)[1]["id"])
            return 1 == len(server.fan_out)

        seen: list[str] = []
        until(dropped, "the client was dropped", 60)
        assert 0 < stopped.socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def test_a_client_that_leaves_is_forgotten_at_once(serve: Serve) -> None:
    """Not only when the next event or ping is sent to it."""
    server = serve(Timing())
    with StreamClient(server.port):
        until(lambda: 1 == len(server.fan_out), "it came", 20)
    until(lambda: 0 == len(server.fan_out), "it left", 10)


def test_one_owner_has_a_limited_number_of_streams(serve: Serve) -> None:
    """Another owner has its own, and a place is free once a stream has ended."""
    server = serve(limit=2)
    with StreamClient(server.port), ExitStack() as opened:
        second = opened.enter_context(StreamClient(server.port))
        statuses = [second.response.status]
        for query in ("", "owner=other"):
            with StreamClient(server.port, query) as another:
                statuses.append(another.response.status)
        opened.close()

        def free() -> bool:
            with StreamClient(server.port) as again:
                return 200 == again.response.status

        until(free, "there is a place", 20)
    assert [200, 429, 200] == statuses


def test_a_stream_outlives_the_limit_of_an_answer(serve: Serve, happen: Happen) -> None:
    """The limits of the server hold for other answers, and for the next request."""
    limits = HttpLimits(answer_seconds=0.3, head_seconds=0.3)
    server = serve(Timing(ping=1.0), limits=limits)
    with StreamClient(server.port) as client:
        client.await_ping()
        happen("late")
        assert ["created", "late"] == client.names(2)


def test_the_server_says_bye_when_it_stops(serve: Serve) -> None:
    """To all clients, and closes their connections; one that does not read is dropped."""
    server = serve(Timing(pace=0.01, send=60.0))
    with StreamClient(server.port) as client, StreamClient(server.port) as other:
        server.server.should_exit = True
        assert [[("bye", {})]] * 2 == [list(each.frames()) for each in (client, other)]


def test_head_answers_without_a_stream(serve: Serve) -> None:
    """A HEAD request has the headers of the stream and ends."""
    server = serve()
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as peer:
        peer.sendall(b"HEAD /events HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: peer.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"\r\n\r\n")


def test_peers_that_vanish_are_found_by_the_kernel(serve: Serve) -> None:
    """Accepted connections are probed, and ended if nothing is acknowledged for 20 s."""
    server = serve()
    with StreamClient(server.port):
        [connection] = server.server.server_state.connections
        accepted = connection.transport.get_extra_info("socket")
        tcp = ("TCP_USER_TIMEOUT", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")
        found = [accepted.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in tcp]
        alive = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert ([20_000, 15, 5, 4], 1) == (found, alive)
