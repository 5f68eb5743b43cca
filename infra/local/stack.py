"""The whole stack on one machine: Redis, the simulated fal, and the Procfile's own processes."""

from __future__ import annotations

import os
import secrets
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.local.fal_process import FalProcess, simulation
from infra.local.ports import ports_to_try
from infra.local.redis.supervised import redis_for
from infra.local.run_directory import made
from infra.local.supervisor.procfile import load_procfile
from infra.local.supervisor.supervisor import Supervisor

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0
STOP_SECONDS = 10.0
_PORTS_TRIED = 50

NOWHERE_ELSE = dict.fromkeys(
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
"""Empty, which counts as not set: a shell that takes the settings over may hold a deployment's."""


class StackNotReady(RuntimeError):
    """The receiver did not answer in time; the message says where its log lies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A stack that runs; `environ` is what its processes have, `settings` what of it is falhook's.

    In any environment `settings` leads a process to this stack and nowhere else.
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
    environ: Mapping[str, str] = os.environ,
    fal_options: tuple[str, ...] = (),
) -> Iterator[Stack]:
    """Run the stack in `directory` until the block ends; afterwards none of it runs.

    REDIS_URL, PORT and FALHOOK_* of `environ` win over what is made up here. Raises
    DirectoryUnusable, RedisNotStarted, SimulationNotStarted, ProcessRefused or StackNotReady.
    """
    made(directory)
    with (
        redis_for(environ, directory / "redis") as redis_url,
        simulation(directory / "fal", output, *fal_options) as fal,
    ):
        given = {name: value for name, value in environ.items() if name.startswith("FALHOOK_")}
        settings = {**_settings(environ, directory, redis_url), **fal.environment, **given}
        full = {**environ, **settings, "PATH": _path(environ)}
        supervisor = Supervisor(
            processes=load_procfile(ROOT / "Procfile"), environ=full, cwd=ROOT, output=output
        )
        supervisor.start()
        try:
            _await_receiver(settings["FALHOOK_PUBLIC_URL"], supervisor, directory)
            yield Stack(
                directory=directory, environ=full, settings=settings, fal=fal, supervisor=supervisor
            )
        finally:
            supervisor.stop(STOP_SECONDS)


def _settings(environ: Mapping[str, str], directory: Path, redis_url: str) -> dict[str, str]:
    port = environ.get("PORT") or str(_free_port())
    return {
        **NOWHERE_ELSE,
        "REDIS_URL": redis_url,
        "PORT": port,
        "FALHOOK_HOST": "127.0.0.1",
        "FALHOOK_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "FALHOOK_SECRET": secrets.token_hex(32),
        "FALHOOK_STORAGE_URL": (directory / "storage").resolve().as_uri(),
    }


def _free_port() -> int:
    for port in ports_to_try(_PORTS_TRIED):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise StackNotReady(f"None of {_PORTS_TRIED} ports tried on 127.0.0.1 was free.")


def _path(environ: Mapping[str, str]) -> str:
    # The Procfile names `python` and `celery`: those of the running environment.
    return os.pathsep.join((str(Path(sys.executable).parent), environ.get("PATH", "")))


def _await_receiver(url: str, supervisor: Supervisor, directory: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        for name in ("web", "submit"):
            supervisor.wait_running(name)
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=2):
                return
        except (OSError, urllib.error.URLError):
            time.sleep(0.1)
    raise StackNotReady(
        f"The receiver was not ready at {url} after {START_SECONDS:.0f} s; see {directory}."
    )
