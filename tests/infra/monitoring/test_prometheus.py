"""A real Prometheus scrapes a running stack, and every panel of the dashboard has data."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from infra.local.ports import ports_to_try
from infra.local.stack import PROCESSES
from tests import ROOT
from tests.infra.monitoring.test_rules import FOLDER, expressions

pytestmark = pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs prometheus")
ENDPOINT = "fal-ai/kling-video/v2.1/master/text-to-video"
SECONDS = 120.0


@pytest.fixture(scope="module")
def prometheus(
    tmp_path_factory: pytest.TempPathFactory, stack_settings: Mapping[str, str]
) -> Iterator[httpx.Client]:
    """A client of a Prometheus with the rules, which scrapes the stack every second."""
    directory = tmp_path_factory.mktemp("prometheus")
    config = (FOLDER / "prometheus.yml").read_text().replace("15s", "1s")
    config = config.replace("rules.yml", str(FOLDER / "rules.yml"))
    config = config.replace("127.0.0.1:9464", f"127.0.0.1:{stack_settings['FALHOOK_METRICS_PORT']}")
    config = config.replace("127.0.0.1:8000", f"127.0.0.1:{stack_settings['PORT']}")
    first = int(stack_settings["FALHOOK_PROCESS_METRICS_PORT"])
    for number in range(PROCESSES):
        config = config.replace(f"127.0.0.1:{9465 + number}", f"127.0.0.1:{first + number}")
    (directory / "prometheus.yml").write_text(config)
    port = next(iter(ports_to_try(1)))
    command = (
        "prometheus",
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    )
    with (
        subprocess.Popen(command, cwd=directory) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as http,
    ):
        try:
            yield http
        finally:
            process.terminate()


def found(http: httpx.Client, expression: str) -> bool:
    """Return whether a query has data."""
    try:
        answer = http.get("/api/v1/query", params={"query": expression})
    except httpx.TransportError:
        return False
    return bool(answer.is_success and answer.json()["data"]["result"])


def submit(settings: Mapping[str, str], prompt: str) -> None:
    """Create a job."""
    command = [sys.executable, "-m", "worker", "submit", ENDPOINT, "--prompt", prompt]
    environ = {**settings, "PATH": str(Path(sys.executable).parent), "PYTHONPATH": str(ROOT)}
    subprocess.run(command, env=environ, check=True, capture_output=True, timeout=120)


def test_every_panel_has_data(prometheus: httpx.Client, stack_settings: Mapping[str, str]) -> None:
    """After a job that was published and one whose callback never comes, no panel is empty."""
    submit(stack_settings, "A fox")
    submit(stack_settings, "A fox [[sim: callback-never]]")
    left = set(expressions())
    deadline = time.monotonic() + SECONDS
    while left and time.monotonic() < deadline:
        left -= {expression for expression in left if found(prometheus, expression)}
        time.sleep(0.5)
    assert set() == left
    rules = prometheus.get("/api/v1/rules").json()["data"]["groups"][0]["rules"]
    assert {"ok"} == {rule["health"] for rule in rules}
    targets = prometheus.get("/api/v1/targets").json()["data"]["activeTargets"]
    assert {"up"} == {target["health"] for target in targets}, json.dumps(targets)
