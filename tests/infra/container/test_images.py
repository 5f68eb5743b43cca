"""The images: built here, and run as they would be run, without rights and against a real Redis."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from infra.local.redis.server import RedisServer
from tests import ROOT
from tests.bench.programs import free_port
from tests.factories.deployments import commands
from tests.faults.waiting import until
from tests.infra.container.building import Builder, environ
from worker.cli.settings import env_example

LOCKS = {
    "receiver": ROOT / "infra" / "container" / "receiver.lock",
    "api": ROOT / "infra" / "container" / "api.lock",
    "worker": ROOT / "requirements-runtime.lock",
}
WRITABLE = {"/tmp", "/var/tmp", "/run/lock", "/run/falhook", "/storage"}
FIND = (
    "find / -xdev -writable -not -type l "
    "-not -path '/proc/*' -not -path '/sys/*' -not -path '/dev/*' 2>/dev/null || true"
)
TOOLS = ("gcc", "cc", "make", "ffmpeg", "celery", "falhook")

# They take minutes, and the package index: run by `pytest -m faults`, and not by `make test`.
pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(
        not (shutil.which("buildah") and shutil.which("mmdebstrap") and os.geteuid() == 0),
        reason="needs buildah and mmdebstrap, as root",
    ),
]


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """A builder with an empty store."""
    return Builder(directory=tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def containers(builder: Builder) -> Mapping[str, str]:
    """A container of each image, by its target."""
    base = builder.base()
    return {target: builder.container(builder.build(target, base)) for target in LOCKS}


@pytest.mark.parametrize("target", LOCKS)
def test_it_is_nobody_who_can_write_nowhere(
    builder: Builder, containers: Mapping[str, str], target: str
) -> None:
    """It runs as 10001, which can write to temporary directories and the storage alone."""
    assert "10001" == builder.inside(containers[target], "id", "-u").strip()
    assert set() == set(builder.inside(containers[target], "sh", "-c", FIND).split()) - WRITABLE


@pytest.mark.parametrize("target", LOCKS)
def test_it_has_no_tools(builder: Builder, containers: Mapping[str, str], target: str) -> None:
    """There is no compiler; only the worker has Celery's program and the command line."""
    look = f"for each in {' '.join(TOOLS)}; do command -v $each || true; done"
    paths = builder.inside(containers[target], "sh", "-c", look).split()
    found = {Path(path).name for path in paths}
    assert ({"celery", "falhook"} if target == "worker" else set()) == found


@pytest.mark.parametrize("target", LOCKS)
def test_its_bill_has_what_is_installed(
    builder: Builder, containers: Mapping[str, str], target: str
) -> None:
    """The bill of materials names each package of the lock for this platform, and Debian's."""
    text = builder.inside(containers[target], "cat", "/opt/falhook/sbom.cdx.json")
    components = json.loads(text)["components"]
    python = {each["name"] for each in components if each["purl"].startswith("pkg:pypi/")}
    locked = set(re.findall(r"^([\w.-]+)==[^;\n]*$", LOCKS[target].read_text(), re.MULTILINE))
    assert locked | {"falhook"} <= python
    assert any(each["purl"].startswith("pkg:deb/debian/python3") for each in components)


def test_the_receiver_answers(
    builder: Builder, containers: Mapping[str, str], tmp_path: Path
) -> None:
    """It starts, says that it is alive, and reaches Redis."""
    with RedisServer.start(tmp_path / "redis") as redis:
        port = free_port()
        with _running(builder, containers["receiver"], redis.url, port, "web"):
            until(lambda: _answers(port, "/healthz"), "the receiver answers", 120)
            ready = httpx.get(f"http://127.0.0.1:{port}/readyz")
            assert "ok" == ready.json()["redis"]


def test_the_api_answers(builder: Builder, containers: Mapping[str, str], tmp_path: Path) -> None:
    """It starts and is ready."""
    with RedisServer.start(tmp_path / "redis") as redis:
        port = free_port()
        with _running(builder, containers["api"], redis.url, port, "api"):
            until(lambda: _answers(port, "/healthz"), "the API answers", 120)
            assert 200 == httpx.get(f"http://127.0.0.1:{port}/readyz").status_code


def test_the_worker_has_the_pipeline(
    builder: Builder, containers: Mapping[str, str], tmp_path: Path
) -> None:
    """The command line, Celery's application and ffmpeg work in it."""
    inside = containers["worker"]
    assert env_example() == builder.inside(inside, "falhook", "settings", "--as", "env")
    program = "import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_version())"
    assert builder.inside(inside, "python", "-c", program).strip()
    with RedisServer.start(tmp_path / "redis") as redis:
        settings = [f"{name}={value}" for name, value in _settings(redis.url, 0).items()]
        # It fails where a setting, the storage or Redis does.
        builder.inside(inside, "env", *settings, "python", "-c", "import worker.celery")


@pytest.mark.parametrize("target", LOCKS)
def test_only_the_worker_sends_traces(
    builder: Builder, containers: Mapping[str, str], target: str
) -> None:
    """A setting is enough for it: it has the exporter, and the public images do not."""
    look = "from importlib.util import find_spec; print(bool(find_spec('opentelemetry')))"
    found = builder.inside(containers[target], "python", "-c", look).strip()
    assert str(target == "worker") == found


def test_the_exporter_answers(
    builder: Builder, containers: Mapping[str, str], tmp_path: Path
) -> None:
    """The process `metrics` of the worker's image reads the figures of a Redis and serves them."""
    with RedisServer.start(tmp_path / "redis") as redis:
        port = free_port()
        with _running(builder, containers["worker"], redis.url, port, "metrics"):
            until(lambda: _answers(port, "/metrics"), "the exporter answers", 120)
            assert "\nfalhook_up 1.0" in httpx.get(f"http://127.0.0.1:{port}/metrics").text


@pytest.mark.parametrize("name", ["notify", "beat"])
@pytest.mark.usefixtures("containers")
def test_a_process_without_a_port_is_well(builder: Builder, tmp_path: Path, name: str) -> None:
    """Before it runs the probe of the deployments fails; then it says that it is ready."""
    container = builder.container("localhost/worker")

    def passes() -> bool:
        return builder.exit_code(container, "python", "-m", "worker.liveness", "--ready") == 0

    assert not passes()
    with (
        RedisServer.start(tmp_path / "redis") as redis,
        _running(builder, container, redis.url, 0, name),
    ):
        until(passes, f"{name} is ready", 120)


def _settings(redis_url: str, port: int) -> dict[str, str]:
    return {
        "REDIS_URL": redis_url,
        "FALHOOK_SECRET": "0123456789abcdef" * 4,
        "FALHOOK_PUBLIC_URL": "https://hooks.example.com",
        "FALHOOK_FAL_USER_IDS": "user-1",
        "FALHOOK_STORAGE_URL": "/storage",
        "FAL_KEY": "key:secret",
        "PORT": str(port),
        "FALHOOK_API_PORT": str(port),
        "FALHOOK_METRICS_PORT": str(port),
    }


@contextmanager
def _running(
    builder: Builder, container: str, redis_url: str, port: int, name: str
) -> Iterator[None]:
    """Run a process of the Procfile in a container during the block; SIGTERM ends it."""
    settings = [f"{name}={value}" for name, value in _settings(redis_url, port).items()]
    command = builder.command("run", container, "--", "env", *settings, *commands()[name])
    process = subprocess.Popen(command, env=environ(), start_new_session=True)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def _answers(port: int, path: str) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=5).status_code == 200
    except httpx.TransportError:
        return False
