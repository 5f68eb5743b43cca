"""`python -m api`, and clients with keys of its tenants."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from infra.local.supervisor.process_guard import ProcessGuard
from tests.bench.programs import free_port
from tests.factories.running_server import RunningServer
from tests.factories.worker_process import worker_environment
from worker.api_keys.scopes import USUAL, Scope
from worker.api_keys.store import ApiKeys
from worker.jobs.store import connect
from worker.storage import Storage

ENDPOINT = "fal-ai/kling-video/v2.1/master/text-to-video"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningApi:
    """An API process, and the Redis of its keys."""

    server: RunningServer
    keys: ApiKeys
    # Closes the clients with the API.
    opened: ExitStack
    redis_url: str

    @property
    def url(self) -> str:
        """Its address."""
        return self.server.url

    def token(self, tenant: str = "default", scopes: frozenset[Scope] = USUAL) -> str:
        """Return the token of a new key."""
        return self.keys.add("test", tenant=tenant, scopes=scopes)[1].text

    def client(self, tenant: str = "default", scopes: frozenset[Scope] = USUAL) -> httpx.Client:
        """Return a client with a new key."""
        headers = {"Authorization": f"Bearer {self.token(tenant, scopes)}"}
        return self.opened.enter_context(
            httpx.Client(base_url=self.url, headers=headers, timeout=30)
        )


def api_environment(redis_url: str, directory: Path) -> dict[str, str]:
    """The smallest valid environment of an API, whose storage exists."""
    environ = worker_environment(redis_url, directory)
    Storage.open(environ["FALHOOK_STORAGE_URL"])
    return environ | {"FALHOOK_API_HOST": "127.0.0.1", "FALHOOK_LOG_LEVEL": "DEBUG"}


@contextmanager
def api(environ: Mapping[str, str], **changes: str) -> Iterator[RunningApi]:
    """Run an API until the block ends; yield it once it has started."""
    environ = {**environ, **changes}
    port = int(environ.setdefault("FALHOOK_API_PORT", str(free_port())))
    guard = ProcessGuard()
    process = guard.spawn([sys.executable, "-m", "api"], output=subprocess.PIPE, environ=environ)
    try:
        server = RunningServer(process, port)
        server.wait_for("api.started")
        with connect(environ["REDIS_URL"]) as redis, ExitStack() as opened:
            keys = ApiKeys(redis, (environ["FALHOOK_SECRET"],))
            yield RunningApi(
                server=server, keys=keys, opened=opened, redis_url=environ["REDIS_URL"]
            )
    finally:
        process.terminate()
        process.wait(40)
        guard.close()


def request(**changes: object) -> dict[str, object]:
    """Return the body of a request for a job."""
    arguments = {"prompt": "A red fox in the snow", "duration": "5"}
    return {"endpoint": ENDPOINT, "arguments": arguments, **changes}
