"""The receiver as a process: its log at startup, and its errors if it cannot start."""

import errno
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.local.supervisor.process_guard import ProcessGuard
from tests.bench.programs import environment, free_port, server
from tests.factories.callbacks import Host, host
from tests.factories.log_lines import refusals
from webhook.server.sockets import BindError, listen
from webhook.settings.settings import ReceiverSettings

Started = Callable[..., tuple[httpx.Client, Callable[[], list[dict[str, object]]]]]


@pytest.fixture
def key_host() -> Iterator[Host]:
    """fal's key host."""
    with host() as served:
        yield served


@pytest.fixture
def start(redis_url: str, key_host: Host, tmp_path: Path) -> Iterator[Started]:
    """Start `python -m webhook`; return a client of it, and a function that reads its log."""
    guard, log = ProcessGuard(), tmp_path / "receiver.log"

    with ExitStack() as running:

        def start(**changes: str) -> tuple[httpx.Client, Callable[[], list[dict[str, object]]]]:
            environ = environment(redis_url, key_host.url, tmp_path) | changes
            port = running.enter_context(server(guard, ["webhook"], environ, log))
            url = f"http://127.0.0.1:{port}"
            client = running.enter_context(httpx.Client(base_url=url, timeout=20))
            return client, lambda: [json.loads(line) for line in log.read_text().splitlines()]

        yield start
    guard.close()


def refused(environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Return a receiver that failed to start."""
    command = [sys.executable, "-m", "webhook"]
    return subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def environ(redis_url: str, key_host: Host, tmp_path: Path) -> dict[str, str]:
    """The environment of a receiver, with a free port."""
    return {**environment(redis_url, key_host.url, tmp_path), "PORT": str(free_port())}


def test_a_taken_port(environ: dict[str, str]) -> None:
    """The process exits with 2 and one sentence that names the setting and the fix."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = refused({**environ, "PORT": str(port)})
    [sentence] = refusals(process.stderr)
    assert (2, "") == (process.returncode, process.stdout)
    assert f"PORT {port}" in sentence
    assert "stop the program that uses it, or set another PORT" in sentence


@pytest.mark.parametrize("wrong", ["host.invalid", "192.0.2.1"])
def test_a_host_that_is_not_this_machine(environ: dict[str, str], wrong: str) -> None:
    """A name that does not resolve and an address of another machine are refused."""
    process = refused({**environ, "FALHOOK_HOST": wrong})
    [sentence] = refusals(process.stderr)
    assert (2, True) == (process.returncode, f"FALHOOK_HOST '{wrong}'" in sentence)
    assert "or * for all" in sentence


@pytest.mark.skipif(os.geteuid() == 0, reason="root may listen anywhere")
def test_a_privileged_port() -> None:
    """The error suggests a port above 1023."""
    with pytest.raises(BindError, match=r"PORT 1 .*above 1023"):
        listen("127.0.0.1", 1)


def test_every_address_of_a_name_is_listened_on() -> None:
    """`localhost` may have two addresses; uvicorn by itself also listens on both."""
    port = free_port()
    addresses = {info[4][0] for info in socket.getaddrinfo("localhost", port)}
    listeners = listen("localhost", port)
    try:
        assert addresses == {listener.getsockname()[0] for listener in listeners}
        assert {port} == {listener.getsockname()[1] for listener in listeners}
    finally:
        for listener in listeners:
            listener.close()


@pytest.mark.parametrize("any_port", [True, False])
def test_everywhere_is_both_families_at_one_port(any_port: bool) -> None:
    """The default host accepts IPv4 and IPv6 at the same port."""
    port = 0 if any_port else free_port()
    assert "*" == ReceiverSettings.model_fields["host"].default
    listeners = listen("*", port)
    try:
        ports = {listener.getsockname()[1] for listener in listeners}
        families = {listener.family for listener in listeners}
        assert 1 == len(ports)
        assert socket.AF_INET in families
        assert socket.has_dualstack_ipv6() == (socket.AF_INET6 in families)
        for listener in listeners:
            name = "::1" if listener.family is socket.AF_INET6 else "127.0.0.1"
            socket.create_connection((name, *ports), timeout=5).close()
    finally:
        for listener in listeners:
            listener.close()


@pytest.mark.parametrize("code", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
def test_everywhere_works_without_ipv6(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """The receiver also starts on a kernel or in a container without IPv6."""
    create = socket.create_server

    def without_ipv6(address: tuple[str, int], **options: Any) -> socket.socket:
        if options["family"] is socket.AF_INET6:
            raise OSError(code, "no IPv6")
        return create(address, **options)

    monkeypatch.setattr(socket, "create_server", without_ipv6)
    [listener] = listen("*", 0)
    with listener:
        assert socket.AF_INET is listener.family


def test_everywhere_names_a_taken_port() -> None:
    """The error has port and setting, and nothing stays open."""
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BindError, match=rf"PORT {port} on FALHOOK_HOST '\*'"):
            listen("*", port)


def test_a_missing_redis_is_logged_at_startup(start: Started) -> None:
    """redis.unreachable is logged before the first callback."""
    client, logged = start(REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    assert 503 == client.get("/readyz").status_code
    assert ["redis.unreachable"] == [
        line["event"] for line in logged() if str(line["event"]).startswith("redis.")
    ]


def test_a_failed_fetch_of_keys_names_the_host(start: Started) -> None:
    """keys.refresh_failed has host and port, without the query of the URL."""
    port = free_port()
    client, logged = start(FALHOOK_JWKS_URL=f"http://127.0.0.1:{port}/keys?token=hunter2")
    client.get("/readyz")
    hosts = {line.get("host") for line in logged() if line["event"] == "keys.refresh_failed"}
    assert {f"127.0.0.1:{port}"} == hosts
    assert "hunter2" not in json.dumps(logged())
