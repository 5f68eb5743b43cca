"""`falhook check`: each part said plainly, what fails with its setting, value and cure."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner, Result
from redis import Redis

from tests.bench.programs import free_port
from tests.factories.callbacks import Host, host, receiver_environment, receiver_settings, serving
from webhook.app import create_app
from webhook.contract import Queue
from worker.cli.check.command import check
from worker.cli.check.local import PROBES

Tried = Callable[..., tuple[str, str]]


@pytest.fixture
def key_host() -> Iterator[Host]:
    """fal's key host."""
    with host() as served:
        yield served


@pytest.fixture
def environ(redis_url: str, key_host: Host, tmp_path: Path) -> dict[str, str]:
    """Settings with which all would start; no receiver listens at its port."""
    return receiver_environment(
        redis_url,
        key_host.url,
        FAL_KEY="id:secret",
        FALHOOK_STORAGE_URL=str(tmp_path / "storage"),
        PORT=str(free_port()),
    )


@pytest.fixture
def tried(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Tried:
    """The word and the sentence of one probe, with these settings but for changes."""

    def tried(name: str, **changes: str) -> tuple[str, str]:
        monkeypatch.setattr("worker.cli.check.command.PROBES", {name: PROBES[name]})
        done: Result = CliRunner().invoke(check, ["--json"], env={**environ, **changes})
        told: Mapping[str, object] = json.loads(done.stdout)[name]
        word = "fails" if not told["ok"] else "warns" if told["warns"] else "ok"
        assert (1 if word == "fails" else 0) == done.exit_code
        return word, str(told["detail"])

    return tried


def test_redis_that_is_away(tried: Tried) -> None:
    """Setting, address and cure; never the password."""
    url = f"redis://:hunter2@127.0.0.1:{free_port()}/0"
    for name in ("redis", "broker"):
        word, told = tried(name, REDIS_URL=url)
        assert ("fails", True) == (word, "REDIS_URL" in told)
        assert "redis://[credentials]@127.0.0.1:" in told
        assert "cannot be reached" in told
        assert "start" in told
        assert "hunter2" not in told


def test_a_wrong_password_is_no_redis_that_is_away(tried: Tried, redis_url: str) -> None:
    """Starting Redis would not help."""
    parts = urlsplit(redis_url)
    word, told = tried("redis", REDIS_URL=f"redis://:wrong@{parts.hostname}:{parts.port}/0")
    assert ("fails", True, False) == (word, "password" in told, "cannot be reached" in told)


def test_redis_without_an_append_only_file(tried: Tried, redis_url: str) -> None:
    """The sentence leads to the settings that are meant."""
    with Redis.from_url(redis_url) as redis:
        redis.config_set("appendonly", "no")
        try:
            word, told = tried("redis")
        finally:
            redis.config_set("appendonly", "yes")
    assert ("fails", True, True) == (word, "infra/redis.conf" in told, "REDIS_URL" in told)
    assert ("ok", "appendonly yes, appendfsync always") == tried("redis")


def test_a_receiver_is_asked_what_may_be_public(
    tried: Tried, environ: dict[str, str], redis_url: str, key_host: Host
) -> None:
    """/healthz at the public address; /readyz only where the receiver itself listens."""
    settings = receiver_settings(redis_url, key_host.url)
    with serving(create_app(settings)) as served, host(b'{"status": "ok"}') as proxy:
        public = proxy.url.removesuffix("/document.json")
        port = str(served.base_url.port)
        near = f"http://127.0.0.1:{port}/readyz is ready: redis ok, broker ok, keys ok"
        told = f"{public} reaches the receiver. {near}"
        assert ("ok", told) == tried("receiver", FALHOOK_PUBLIC_URL=public, PORT=port)
        told = f"{public} reaches the receiver"
        assert ("ok", told) == tried("receiver", FALHOOK_PUBLIC_URL=public)


@pytest.mark.parametrize(("status", "body"), [(404, b"not here"), (200, b"<html>"), (200, b"[]")])
def test_something_else_at_the_public_address(tried: Tried, status: int, body: bytes) -> None:
    """What answers is told, whatever it sends."""
    with host(body) as other:
        other.status = status
        public = other.url.removesuffix("/document.json")
        word, told = tried("receiver", FALHOOK_PUBLIC_URL=public)
    assert "fails" == word
    assert f"{public}/healthz answered {status}" in told
    assert f"FALHOOK_PUBLIC_URL={public} does not reach the receiver" in told


def test_a_receiver_without_keys(tried: Tried, redis_url: str, key_host: Host) -> None:
    """The sentence names the address that the receiver cannot reach."""
    key_host.status = 503
    settings = receiver_settings(redis_url, key_host.url)
    with serving(create_app(settings)) as served:
        public = str(served.base_url).rstrip("/")
        word, told = tried("receiver", FALHOOK_PUBLIC_URL=public, PORT=str(served.base_url.port))
    assert "fails" == word
    assert "keys unavailable" in told
    assert f"FALHOOK_JWKS_URL={key_host.url}" in told


def test_a_receiver_that_is_away(tried: Tried) -> None:
    """The setting, its value, and what to start."""
    public = f"http://127.0.0.1:{free_port()}"
    word, told = tried("receiver", FALHOOK_PUBLIC_URL=public)
    assert ("fails", True) == (word, f"FALHOOK_PUBLIC_URL={public} cannot be reached" in told)
    assert "start the receiver" in told


def test_a_misspelt_setting_is_a_warning(tried: Tried) -> None:
    """It fails nothing, and would otherwise do nothing in silence."""
    told = "FALHOOK_TAG_PROMT is not a setting and has no effect. Did you mean FALHOOK_TAG_PROMPT?"
    assert ("warns", told) == tried("settings", FALHOOK_TAG_PROMT="hash")
    assert "ok" == tried("settings")[0]


def test_no_worker_is_a_warning(tried: Tried) -> None:
    """Nothing is broken, and no job would move."""
    word, told = tried("workers")
    assert "warns" == word
    assert all(queue in told for queue in Queue)
