"""Two receivers behind HAProxy, as in infra/haproxy.cfg, and callbacks of the simulated fal."""

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from redis import Redis

from infra.local.supervisor.process_guard import ProcessGuard
from tests import ROOT
from tests.bench.programs import environment, free_port
from tests.factories.callbacks import SECRET, host, signed
from tests.factories.receivers import receiver
from tests.factories.running_server import RunningServer
from tests.factories.simulated_fal import FalOverHttp, fal_running
from webhook.contract import INBOX, callback_url
from webhook.shards import all_keys

HAPROXY = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
pytestmark = pytest.mark.skipif(HAPROXY is None, reason="needs haproxy")
# The address of the simulated fal, which it publishes; that of the proxy; and of a stranger.
FAL, PROXY, STRANGER = "127.0.0.1", "127.0.0.2", "127.0.0.9"


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """Two receivers, the address of the proxy in front of them, and their simulated fal."""

    url: str
    receivers: tuple[RunningServer, RunningServer]
    fal: FalOverHttp

    def submit(self, job_id: str) -> None:
        """Submit a job to fal with the proxy's address for its callback."""
        params = {"fal_webhook": callback_url(self.url, SECRET, job_id, 1)}
        assert 200 == self.fal.post(params=params).status_code


@contextmanager
def haproxy(variables: Mapping[str, str], port: int) -> Iterator[None]:
    """Run HAProxy with the configuration of the repository until the block ends."""
    command = [str(HAPROXY), "-db", "-f", str(ROOT / "infra" / "haproxy.cfg")]
    guard = ProcessGuard()
    process = guard.spawn(command, output=subprocess.DEVNULL, environ={**os.environ, **variables})
    try:
        _await_port(port, process)
        yield
    finally:
        process.terminate()
        process.wait(10)
        guard.close()


def _await_port(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        assert process.poll() is None, "HAProxy refused infra/haproxy.cfg"
        try:
            return socket.create_connection((FAL, port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
    raise TimeoutError("HAProxy did not start")


@pytest.fixture
def behind(redis_url: str, tmp_path: Path) -> Iterator[Behind]:
    """Two receivers that trust the proxy and admit fal's address only."""
    with ExitStack() as stack:
        fal = stack.enter_context(
            fal_running(tmp_path / "fal", "--concurrency", "100", "--patience", "10")
        )
        published = json.dumps({"webhook_ip_ranges": [f"{FAL}/32"]}).encode()
        environ = {
            **environment(redis_url, "", tmp_path),
            **fal.environment,
            "FALHOOK_META_URL": stack.enter_context(host(published)).url,
            "FALHOOK_TRUSTED_PROXIES": PROXY,
        }
        first, second = (stack.enter_context(receiver(environ)) for _ in range(2))
        port = free_port()
        variables = {
            "BIND": f"{FAL}:{port}",
            "SOURCE": PROXY,
            "FIRST": f"127.0.0.1:{first.port}",
            "SECOND": f"127.0.0.1:{second.port}",
        }
        stack.enter_context(haproxy(variables, port))
        yield Behind(url=f"http://{FAL}:{port}", receivers=(first, second), fal=fal)


def pending(redis_url: str) -> set[str]:
    """Return the jobs whose callbacks are stored."""
    with Redis.from_url(redis_url, decode_responses=True) as redis:
        found = [redis.zrange(key, 0, -1) for key in all_keys(INBOX)]
        return {job_id for jobs in found for job_id in jobs}


def test_a_killed_receiver_loses_no_callback(behind: Behind, redis_url: str) -> None:
    """One of two dies under load: every callback of fal is stored, and accepted once."""
    jobs = [f"job-{number}" for number in range(60)]
    for job_id in jobs[:40]:
        behind.submit(job_id)
    behind.fal.wait("callback_accepted", count=10)
    behind.receivers[0].process.kill()
    for job_id in jobs[40:]:
        behind.submit(job_id)
    behind.fal.wait("callback_accepted", count=60)
    assert set(jobs) == pending(redis_url)
    assert 0 == behind.fal.counts()["total"].get("callback_abandoned", 0)


def outcome(url: str, address: str, claimed: str) -> tuple[int, str]:
    """Post a callback from a local address that claims another one; return its answer.

    fal's account is not the one that signed it, which is looked at after the address.
    """
    transport = httpx.HTTPTransport(local_address=address)
    with httpx.Client(base_url=url, transport=transport, timeout=30) as client:
        delivery = signed("job-1", user_id="somebody")
        headers = {**delivery.headers, "X-Forwarded-For": claimed}
        answer = client.post(delivery.path, content=delivery.body, headers=headers)
        return answer.status_code, answer.json()["outcome"]


def test_only_the_proxy_says_who_calls(behind: Behind) -> None:
    """The proxy names the caller; what the caller claims itself does not count, nor without it."""
    behind.submit("job-0")
    behind.fal.wait("callback_accepted")
    assert (401, "foreign_account") == outcome(behind.url, FAL, STRANGER)
    assert (401, "foreign_source") == outcome(behind.url, STRANGER, FAL)
    for running in behind.receivers:
        assert (401, "foreign_source") == outcome(running.url, STRANGER, FAL)
    for path in ("/metrics", "/readyz"):
        assert 404 == httpx.get(behind.url + path).status_code
