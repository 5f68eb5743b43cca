"""The simulated fal as a process of the local stack."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.local.supervisor.process_guard import ProcessGuard

_STOP_SECONDS = 5.0


class SimulationNotStarted(RuntimeError):
    """The simulated fal ended before it accepted connections; the message has its last words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FalProcess:
    """A simulated fal that accepts connections; `environment` points a process of ours at it."""

    url: str
    ca_file: Path
    environment: Mapping[str, str]

    def counts(self) -> dict[str, dict[str, dict[str, object]]]:
        """What it counted so far: `total` by kind, and `requests` by request id."""
        context = ssl.create_default_context(cafile=self.ca_file)
        with urllib.request.urlopen(
            f"{self.url}/_sim/counts", context=context, timeout=5
        ) as answer:
            counts: dict[str, dict[str, dict[str, object]]] = json.load(answer)
        return counts


@contextmanager
def simulation(
    directory: Path, output: Callable[[str, bytes], None], *options: str
) -> Iterator[FalProcess]:
    """Run the simulated fal on a free port until the block ends.

    Raises SimulationNotStarted.
    """
    command = (sys.executable, "-m", "infra.local.fal", "--directory", str(directory), *options)
    lifetime = ProcessGuard()
    process = lifetime.spawn(command, output=subprocess.PIPE)
    try:
        yield _ready(process, output)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
        lifetime.release(process)
        lifetime.close()


def _ready(process: subprocess.Popen[bytes], output: Callable[[str, bytes], None]) -> FalProcess:
    assert process.stdout is not None
    said: list[str] = []
    for line in process.stdout:
        if line.startswith(b'{"environment"'):
            threading.Thread(target=_pass_on, args=(process, output), daemon=True).start()
            told = json.loads(line)
            return FalProcess(
                url=told["url"], ca_file=Path(told["ca_file"]), environment=told["environment"]
            )
        output("fal", line)
        said.append(line.decode(errors="replace").rstrip())
    raise SimulationNotStarted("\n".join(["The simulated fal did not start:", *said[-10:]]))


def _pass_on(process: subprocess.Popen[bytes], output: Callable[[str, bytes], None]) -> None:
    assert process.stdout is not None
    with process.stdout as lines:
        for line in lines:
            output("fal", line)
