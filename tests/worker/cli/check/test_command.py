"""`falhook check`: each failure names its setting, value and correction."""

from urllib.parse import urlsplit

import pytest
from redis import Redis

from tests.bench.programs import free_port
from tests.factories.callbacks import Host, host, receiver_settings, serving
from tests.worker.cli.check.conftest import Tried
from webhook.app import create_app
from webhook.contract import Queue


def test_an_unreachable_redis(tried: Tried) -> None:
    """The sentence has the setting, the address and the correction, never the password."""
    url = f"redis://:hunter2@127.0.0.1:{free_port()}/0"
    for name in ("redis", "broker"):
        status, detail = tried(name, REDIS_URL=url)
        assert ("fails", True) == (status, "REDIS_URL" in detail)
        assert "redis://[credentials]@127.0.0.1:" in detail
        assert "cannot be reached" in detail
        assert "start" in detail
        assert "hunter2" not in detail


def test_a_wrong_password(tried: Tried, redis_url: str) -> None:
    """A wrong password is not reported as an unreachable Redis."""
    parts = urlsplit(redis_url)
    status, detail = tried("redis", REDIS_URL=f"redis://:wrong@{parts.hostname}:{parts.port}/0")
    assert ("fails", True, False) == (status, "password" in detail, "cannot be reached" in detail)


def test_redis_without_an_append_only_file(tried: Tried, redis_url: str) -> None:
    """The sentence names the settings to use."""
    with Redis.from_url(redis_url) as redis:
        redis.config_set("appendonly", "no")
        try:
            status, detail = tried("redis")
        finally:
            redis.config_set("appendonly", "yes")
    assert ("fails", True, True) == (status, "infra/redis.conf" in detail, "REDIS_URL" in detail)
    assert ("ok", "appendonly yes, appendfsync always") == tried("redis")


def test_only_the_public_route_is_called_at_the_public_address(
    tried: Tried, redis_url: str, key_host: Host
) -> None:
    """/healthz is called at the public address, /readyz only where the receiver listens."""
    settings = receiver_settings(redis_url, key_host.url)
    with serving(create_app(settings)) as served, host(b'{"status": "ok"}') as proxy:
        public = proxy.url.removesuffix("/document.json")
        port = str(served.base_url.port)
        near = f"http://127.0.0.1:{port}/readyz is ready: redis ok, broker ok, keys ok"
        detail = f"{public} reaches the receiver. {near}"
        assert ("ok", detail) == tried("receiver", FALHOOK_PUBLIC_URL=public, PORT=port)
        detail = f"{public} reaches the receiver"
        assert ("ok", detail) == tried("receiver", FALHOOK_PUBLIC_URL=public)


@pytest.mark.parametrize(
    ("http_status", "body"), [(404, b"not here"), (200, b"<html>"), (200, b"[]")]
)
def test_another_server_at_the_public_address(tried: Tried, http_status: int, body: bytes) -> None:
    """The sentence has the setting, its value and the answer's status."""
    with host(body) as other:
        other.status = http_status
        public = other.url.removesuffix("/document.json")
        status, detail = tried("receiver", FALHOOK_PUBLIC_URL=public)
    assert "fails" == status
    assert f"{public}/healthz answered {http_status}" in detail
    assert f"FALHOOK_PUBLIC_URL={public} does not reach the receiver" in detail


def test_a_receiver_without_keys(tried: Tried, redis_url: str, key_host: Host) -> None:
    """The sentence has the address of the keys that the receiver cannot reach."""
    key_host.status = 503
    settings = receiver_settings(redis_url, key_host.url)
    with serving(create_app(settings)) as served:
        public = str(served.base_url).rstrip("/")
        status, detail = tried(
            "receiver", FALHOOK_PUBLIC_URL=public, PORT=str(served.base_url.port)
        )
    assert "fails" == status
    assert "keys unavailable" in detail
    assert f"FALHOOK_JWKS_URL={key_host.url}" in detail


def test_an_unreachable_receiver(tried: Tried) -> None:
    """The sentence has the setting, its value, and what to start."""
    public = f"http://127.0.0.1:{free_port()}"
    status, detail = tried("receiver", FALHOOK_PUBLIC_URL=public)
    assert ("fails", True) == (status, f"FALHOOK_PUBLIC_URL={public} cannot be reached" in detail)
    assert "start the receiver" in detail


def test_a_misspelt_setting_is_a_warning(tried: Tried) -> None:
    """An unknown FALHOOK_ name is not a failure."""
    detail = (
        "FALHOOK_TAG_PROMT is not a setting and has no effect. Did you mean FALHOOK_TAG_PROMPT?"
    )
    assert ("warns", detail) == tried("settings", FALHOOK_TAG_PROMT="hash")
    assert "ok" == tried("settings")[0]


def test_no_worker_is_a_failure(tried: Tried) -> None:
    """The sentence names each queue that nobody serves."""
    status, detail = tried("workers")
    assert "fails" == status
    assert all(queue in detail for queue in Queue)
