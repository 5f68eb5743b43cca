"""The whole stack on one machine: Redis, the simulated fal and the Procfile's processes."""

import os
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.local.api_key import admin_key
from infra.local.fal_process import FalProcess, simulation
from infra.local.ports import ports_to_try
from infra.local.redis.supervised import redis_for
from infra.local.run_directory import ensure_directory
from infra.local.secret import kept_secret
from infra.local.supervisor.procfile import load_procfile
from infra.local.supervisor.supervisor import Supervisor

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0
STOP_SECONDS = 10.0
_PORTS_TRIED = 50
# Those that serve metrics of their own: the API and the five kinds of worker.
PROCESSES = 6

UNSET_SETTINGS = dict.fromkeys(
    (
        "FALHOOK_BROKER_URL",
        "FALHOOK_META_URL",
        "FALHOOK_TRUSTED_PROXIES",
        "CELERY_BROKER_URL",
        "CELERY_BROKER_READ_URL",
        "CELERY_BROKER_WRITE_URL",
    ),
    "",
)
"""Settings to export as empty, which counts as not set.

A shell that sources the stack's settings may hold those of a deployment.
"""


class StackNotReady(RuntimeError):
    """The stack did not start: no free port, or a receiver or an API that was not ready in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A running stack.

    `environ` is the environment of its processes; `settings` is the part that belongs to falhook,
    with the address of the API and a key for it. Added to any environment, `settings` leads a
    process to this stack only.
    """

    directory: Path
    environ: Mapping[str, str]
    settings: Mapping[str, str]
    fal: FalProcess
    supervisor: Supervisor


@contextmanager
def stack(
    directory: Path,
    output: Callable[[str, bytes], None],
    *,
    restarts: Callable[[str, bytes], None] | None = None,
    environ: Mapping[str, str] = os.environ,
    fal_options: tuple[str, ...] = (),
    redis: Callable[..., AbstractContextManager[str]] = redis_for,
) -> Iterator[Stack]:
    """Run the stack in `directory` until the block ends; no process is left afterwards.

    `output` receives the lines of all processes, `restarts` (default: `output`) one for each
    restart.

    `redis` provides the URL of a Redis, as `redis_for` does.

    If the simulated fal ends, all processes end. REDIS_URL, PORT and FALHOOK_* of `environ`
    override the generated settings. Raise DirectoryUnusable, RedisNotStarted, SimulationNotStarted,
    SimulationEnded, ProcessRefused, StackNotReady or KeyNotMade.
    """
    ensure_directory(directory)
    with (
        redis(environ, directory / "redis", output) as redis_url,
        simulation(directory / "fal", output, *fal_options) as fal,
    ):
        overrides = {name: value for name, value in environ.items() if name.startswith("FALHOOK_")}
        settings = {**_settings(environ, directory, redis_url), **fal.environment, **overrides}
        api_url = f"http://127.0.0.1:{settings['FALHOOK_API_PORT']}"
        process_environ = {**environ, **settings, "PATH": _path(environ)}
        supervisor = Supervisor(
            processes=load_procfile(ROOT / "Procfile"),
            environ=process_environ,
            cwd=ROOT,
            output=output,
            restarts=restarts,
        )
        supervisor.start()
        threading.Thread(target=_end_with_fal, args=(fal, supervisor), daemon=True).start()
        try:
            with admin_key(process_environ, ROOT) as key:
                _await_ready(
                    settings["FALHOOK_PUBLIC_URL"], ("web", "submit"), supervisor, directory
                )
                _await_ready(api_url, ("api",), supervisor, directory)
                access = {"FALHOOK_API_URL": api_url, "FALHOOK_API_KEY": key()}
            yield Stack(
                directory=directory,
                environ=process_environ,
                settings={**settings, **access},
                fal=fal,
                supervisor=supervisor,
            )
        finally:
            supervisor.stop(STOP_SECONDS)


def _end_with_fal(fal: FalProcess, supervisor: Supervisor) -> None:
    """Wait until the simulated fal ends; end the processes then, which get no callback any more."""
    supervisor.fail(fal.wait())


def _settings(environ: Mapping[str, str], directory: Path, redis_url: str) -> dict[str, str]:
    port = environ.get("PORT") or _free_port("PORT")
    api_port = _free_port("FALHOOK_API_PORT", taken={port})
    taken = {port, api_port}
    first = _free_port("FALHOOK_PROCESS_METRICS_PORT", taken=taken, following=PROCESSES - 1)
    taken |= {str(int(first) + each) for each in range(PROCESSES)}
    return {
        **UNSET_SETTINGS,
        "REDIS_URL": redis_url,
        "PORT": port,
        "FALHOOK_HOST": "127.0.0.1",
        "FALHOOK_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "FALHOOK_API_HOST": "127.0.0.1",
        "FALHOOK_API_PORT": api_port,
        "FALHOOK_METRICS_PORT": _free_port("FALHOOK_METRICS_PORT", taken=taken),
        "FALHOOK_PROCESS_METRICS_PORT": first,
        # A receiver of webhooks is on this machine too.
        "FALHOOK_NOTIFY_LOOPBACK": "1",
        "FALHOOK_SECRET": kept_secret(directory),
        "FALHOOK_STORAGE_URL": (directory / "storage").resolve().as_uri(),
    }


def _free_port(setting: str, taken: Container[str] = (), *, following: int = 0) -> str:
    """Return a port that is free, and so many after it are too. Raises StackNotReady."""
    for first in ports_to_try(_PORTS_TRIED):
        ports = range(first, first + 1 + following)
        if all(str(port) not in taken and _is_free(port) for port in ports):
            return str(first)
    raise StackNotReady(
        f"No free port on 127.0.0.1 ({_PORTS_TRIED} tried). Set {setting} to a free one."
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _path(environ: Mapping[str, str]) -> str:
    # `python` and `celery` in the Procfile mean those of the current virtual environment.
    return os.pathsep.join((str(Path(sys.executable).parent), environ.get("PATH", "")))


def _await_ready(url: str, names: tuple[str, ...], supervisor: Supervisor, directory: Path) -> None:
    """Return when these processes run and the server at `url` is ready."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        for name in names:
            supervisor.wait_running(name)
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=2):
                return
        except (OSError, urllib.error.URLError):
            time.sleep(0.1)
    raise StackNotReady(
        f"The process {names[0]} at {url} was not ready after {START_SECONDS:.0f} s. "
        f"See the logs in {directory}."
    )
