"""The simulated fal as a process of the local stack."""

import json
import ssl
import subprocess
import sys
import threading
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.local.supervisor.process_guard import ProcessGuard
from infra.local.supervisor.restart_policy import describe_exit

_STOP_SECONDS = 5.0
_LAST_LINES = 20
_OUTPUT_SECONDS = 1.0


class SimulationNotStarted(RuntimeError):
    """The simulated fal ended before it accepted connections; the message holds its last lines."""


class SimulationEnded(RuntimeError):
    """The simulated fal ended while it was needed; the message says how, with its last lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FalProcess:
    """A running simulated fal; `environment` holds the settings that lead a process to it."""

    url: str
    ca_file: Path
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes]
    _reader: threading.Thread
    _last_lines: deque[str]

    def wait(self) -> SimulationEnded:
        """Wait until the process has ended, for whatever reason; return the error that says how."""
        how = describe_exit(self.process.wait())
        self._reader.join(_OUTPUT_SECONDS)
        return SimulationEnded("\n".join((f"The simulated fal {how}:", *self._last_lines)))

    def counts(self) -> dict[str, dict[str, dict[str, object]]]:
        """Return its counters: `total` by kind, and `requests` by request id."""
        context = ssl.create_default_context(cafile=self.ca_file)
        with urllib.request.urlopen(
            f"{self.url}/_sim/counts", context=context, timeout=5
        ) as response:
            counts: dict[str, dict[str, dict[str, object]]] = json.load(response)
        return counts


@contextmanager
def simulation(
    directory: Path, output: Callable[[str, bytes], None], *options: str
) -> Iterator[FalProcess]:
    """Run the simulated fal on a free port until the block ends. Raise SimulationNotStarted."""
    command = (sys.executable, "-m", "infra.local.fal", "--directory", str(directory), *options)
    guard = ProcessGuard()
    process = guard.spawn(command, output=subprocess.PIPE)
    try:
        yield _await_announcement(process, output)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
        guard.release(process)
        guard.close()


def _await_announcement(
    process: subprocess.Popen[bytes], output: Callable[[str, bytes], None]
) -> FalProcess:
    assert process.stdout is not None
    lines_before: list[str] = []
    for line in process.stdout:
        if line.startswith(b'{"environment"'):
            last_lines: deque[str] = deque(maxlen=_LAST_LINES)
            reader = threading.Thread(
                target=_forward, args=(process, output, last_lines), daemon=True
            )
            reader.start()
            announcement = json.loads(line)
            return FalProcess(
                process=process,
                _reader=reader,
                _last_lines=last_lines,
                url=announcement["url"],
                ca_file=Path(announcement["ca_file"]),
                environment=announcement["environment"],
            )
        output("fal", line)
        lines_before.append(line.decode(errors="replace").rstrip())
    process.stdout.close()
    how = f"The simulated fal did not start: it {describe_exit(process.wait())}."
    raise SimulationNotStarted("\n".join([how, *lines_before[-10:]]))


def _forward(
    process: subprocess.Popen[bytes],
    output: Callable[[str, bytes], None],
    last_lines: deque[str],
) -> None:
    assert process.stdout is not None
    with process.stdout as lines:
        for line in lines:
            last_lines.append(line.decode(errors="replace").rstrip())
            output("fal", line)
