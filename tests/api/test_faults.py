"""What fails around the API: it, its Redis, its peers. A key is one job through all of it."""

import os
import resource
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest
from redis import Redis

from api.idempotency import job_id_of
from infra.local.redis.server import RedisServer
from tests.api.test_jobs import created, problem
from tests.bench.programs import free_port
from tests.factories.apis import RunningApi, api, api_environment, request
from tests.factories.redis_servers import primary, replica, sentinels
from tests.factories.redis_urls import sentinel_url
from tests.faults.striking import frozen
from tests.faults.waiting import until
from worker.jobs.job import JobState
from worker.jobs.listing import count
from worker.jobs.store import JobStore, connect


def jobs_in(redis_url: str) -> int:
    """Return how many jobs there are."""
    with connect(redis_url) as redis:
        return sum(count(redis, list(JobState)).values())


def test_a_killed_api_leaves_one_job(tmp_path: Path) -> None:
    """Killed after the record was stored and before the answer: the same key is the same job."""
    with (
        primary(tmp_path / "first") as redis,
        replica(tmp_path / "second", redis) as second,
        ThreadPoolExecutor(1) as pool,
    ):
        environ = api_environment(redis.url, tmp_path)
        job_id = job_id_of("shop", "killed")
        with api(environ) as first:
            client = first.client("shop")
            # The first creation learns of the replica: it is made twice, and still is a 201.
            assert 201 == created(client, "warm").status_code
            with frozen(second):
                # A frozen replica holds the answer back for half a second: the primary has the job.
                lost = pool.submit(created, client, "killed")
                with connect(redis.url) as reader:
                    until(lambda: JobStore(reader).get(job_id) is not None, "it is stored", 20)
                first.server.process.kill()
                with suppress(httpx.TransportError):
                    # A slow machine kills it too late, after it said that it does not know.
                    assert 503 == lost.result().status_code
        with api(environ) as second_api:
            again = created(second_api.client("shop"), "killed")
        assert (200, job_id, "QUEUED") == (
            again.status_code,
            again.json()["id"],
            again.json()["state"],
        )
        assert 2 == jobs_in(redis.url)


def test_two_processes_create_one_job_of_a_key(redis_url: str, tmp_path: Path) -> None:
    """Requests of one key to two processes at once are one job."""
    environ = api_environment(redis_url, tmp_path)
    with api(environ) as one, api(environ) as two, ThreadPoolExecutor(8) as pool:
        clients = [one.client(), two.client()]
        keys = [f"k{number}" for number in range(10)]
        answers = list(
            pool.map(lambda each: created(clients[each % 2], keys[each // 8]), range(80))
        )
    statuses = [answer.status_code for answer in answers]
    assert (10, 70) == (statuses.count(201), statuses.count(200))
    assert 10 == jobs_in(redis_url)


def test_redis_that_is_away_is_said(tmp_path: Path) -> None:
    """Without Redis it is 503 with same_key, soon; once Redis is back the same key works."""
    with ExitStack() as running:
        server = running.enter_context(RedisServer.start(tmp_path / "redis"))
        started = running.enter_context(api(api_environment(server.url, tmp_path)))
        client = started.client()
        assert 201 == created(client, "before").status_code
        os.kill(server.pid, signal.SIGSTOP)
        away = created(client, "away")
        assert (503, "redis_unavailable", "same_key") == problem(away)
        assert 1 <= int(away.headers["Retry-After"]) <= 10
        assert 503 == httpx.get(f"{started.url}/readyz", timeout=20).status_code
        os.kill(server.pid, signal.SIGCONT)
        until(lambda: created(client, "away").status_code in {200, 201}, "Redis is back", 20)
        assert 2 == jobs_in(server.url)


def test_a_hanging_redis_does_not_stop_other_requests(tmp_path: Path) -> None:
    """While twelve requests wait for a frozen Redis, what needs none is answered at once."""
    with ExitStack() as running:
        server = running.enter_context(RedisServer.start(tmp_path / "redis"))
        started = running.enter_context(api(api_environment(server.url, tmp_path)))
        client = started.client()
        assert 201 == created(client, "before").status_code
        pool = running.enter_context(ThreadPoolExecutor(12))
        os.kill(server.pid, signal.SIGSTOP)
        began = time.monotonic()
        assert 503 == created(client, "hung").status_code
        alone = time.monotonic() - began
        waiting = [pool.submit(created, client, f"hung-{number}") for number in range(12)]
        assert 200 == httpx.get(f"{started.url}/openapi.json", timeout=3).status_code
        began = time.monotonic()
        assert [503] * 12 == [each.result(60).status_code for each in waiting]
        # All wait at the same time, none for another.
        assert time.monotonic() - began < 2.5 * alone
        os.kill(server.pid, signal.SIGCONT)


def test_an_election_loses_no_created_job(tmp_path: Path) -> None:
    """What was answered with 201 or 200 is there after the primary was killed; no key is two."""
    acknowledged: set[str] = set()
    with ExitStack() as running:
        first = running.enter_context(primary(tmp_path / "a"))
        for name in ("b", "c"):  # one confirms what the other, elected, has written
            running.enter_context(replica(tmp_path / name, first))
        watching = running.enter_context(sentinels(tmp_path, first))
        url = sentinel_url(watching)
        started = running.enter_context(api(api_environment(url, tmp_path)))
        client = started.client()

        def create(key: str) -> bool:
            answer = created(client, key)
            assert answer.status_code in {200, 201, 503, 401}, answer.text
            return answer.status_code in {200, 201}

        for number in range(60):
            if number == 20:
                os.kill(first.pid, signal.SIGKILL)
            until(lambda key=f"e{number}": create(key), f"key {number} is created", 40)  # type: ignore[misc]
            acknowledged.add(job_id_of("default", f"e{number}"))
        with connect(url) as redis:
            lost = [job_id for job_id in acknowledged if JobStore(redis).get(job_id) is None]
    assert ([], 60) == (lost, len(acknowledged))


@pytest.fixture
def small(redis_url: str, tmp_path: Path) -> Iterator[RunningApi]:
    """An API for peers that misbehave."""
    with api(api_environment(redis_url, tmp_path)) as started:
        yield started


def test_a_header_of_ten_megabytes_is_refused(small: RunningApi) -> None:
    """It is answered or cut off after some kilobytes, and others are served meanwhile."""
    with socket.create_connection(("127.0.0.1", small.server.port), timeout=20) as peer:
        sent = 0
        try:
            peer.sendall(b"GET /v1/jobs HTTP/1.1\r\nHost: a\r\nX-Large: ")
            while sent < 10_000_000:
                sent += peer.send(b"x" * 65_536)
        except OSError:
            pass
        try:
            answer = peer.recv(4096)
        except OSError:
            answer = b""
    assert not answer or b" 400 " in answer.splitlines()[0]
    assert sent < 10_000_000
    assert 200 == httpx.get(f"{small.url}/healthz").status_code


def test_silent_connections_do_not_stop_others(small: RunningApi) -> None:
    """Ten thousand connections that say nothing do not keep a request from its answer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 12_000:
        pytest.skip(f"this user may open {hard} files, fewer than the test does")
    resource.setrlimit(resource.RLIMIT_NOFILE, (12_000, hard))
    try:
        with ExitStack() as opened:
            for _ in range(10_000):
                opened.enter_context(socket.create_connection(("127.0.0.1", small.server.port)))
            assert 201 == created(small.client(), "crowded").status_code
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_request_in_pieces_is_bounded_in_time(small: RunningApi) -> None:
    """A connection that never ends its head is closed within the limit, without an answer."""
    with socket.create_connection(("127.0.0.1", small.server.port), timeout=30) as peer:
        peer.sendall(b"GET /v1/jobs HTTP/1.1\r\nHost:")
        assert b"" == peer.recv(4096)


def test_a_stopping_api_answers_what_it_took(redis_url: str, tmp_path: Path) -> None:
    """No 201 is without its record while the process is stopped under load."""
    environ = api_environment(redis_url, tmp_path)
    environ["FALHOOK_API_PORT"] = str(free_port())
    environ["FALHOOK_API_CREATE_RATE"] = "5000"
    confirmed: list[str] = []

    def load(client: httpx.Client, name: str) -> None:
        for number in range(100):
            try:
                answer = client.post(
                    "/v1/jobs",
                    json=request(),
                    headers={"Idempotency-Key": f"{name}-{number}"},
                )
            except httpx.TransportError:
                return
            if answer.status_code == 201:
                confirmed.append(answer.json()["id"])

    with api(environ) as started, ThreadPoolExecutor(4) as pool:
        clients = [started.client() for _ in range(4)]
        for number, client in enumerate(clients):
            pool.submit(load, client, f"c{number}")
        until(lambda: len(confirmed) > 20, "jobs are created", 30)
        started.server.process.terminate()
        # uvicorn ends itself by the signal, once it has answered.
        assert -signal.SIGTERM == started.server.process.wait(30)
    with Redis.from_url(redis_url) as raw, connect(redis_url) as redis:
        assert raw.ping()
        assert [] == [job_id for job_id in confirmed if JobStore(redis).get(job_id) is None]
