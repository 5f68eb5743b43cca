"""The parent of several receivers: it opens the port, and replaces each one that ends.

All of them accept from the same listening sockets, which the parent holds open. So connections that
wait when one dies are accepted by another, which sockets of their own (SO_REUSEPORT) would reset.
Each is a fresh interpreter: a fork would copy locks and threads in any state.
"""

import asyncio
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.multiprocess import mark_process_dead

from webhook.log import get_logger

# The exit code of a process that will not start with these settings, however often it is tried.
REFUSED = 2
# Seconds that a process has to end: longer than its own limits (server/config.py, publisher.py).
DRAIN = 30.0

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """Seconds before a process is replaced: none, but growing if it ends soon after its start."""

    first: float = 0.2
    factor: float = 2.0
    longest: float = 10.0
    settled: float = 10.0

    def after(self, previous: float, ran: float) -> float:
        """Return the pause after the pause `previous` and a run of `ran` seconds."""
        if ran >= self.settled:
            return 0.0
        return min(max(previous * self.factor, self.first), self.longest)


class Parent:
    """Keeps one process for each of `commands` running until SIGTERM or SIGINT."""

    def __init__(
        self,
        commands: Sequence[Sequence[str]],
        *,
        environ: Mapping[str, str],
        descriptors: Sequence[int] = (),
        metrics: Path,
        pauses: Pauses | None = None,
    ) -> None:
        """Prepare the processes; `descriptors` stay open in them, `metrics` is where they count."""
        self._commands = commands
        self._environ = environ
        self._descriptors = descriptors
        self._metrics = metrics
        self._pauses = pauses or Pauses()
        self._stopping = asyncio.Event()
        self._code = 0

    async def run(self) -> int:
        """Return once all have ended: 0 after a signal, REFUSED if one refused its settings."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        async with asyncio.TaskGroup() as tasks:
            for index in range(len(self._commands)):
                tasks.create_task(self._keep(index))
        return self._code

    async def _keep(self, index: int) -> None:
        pause = 0.0
        while not self._stopping.is_set():
            began = asyncio.get_running_loop().time()
            code = await self._run(index)
            # Only its gauges: what it has counted stays, and its successor counts on.
            mark_process_dead(index, str(self._metrics))  # type: ignore[no-untyped-call]
            if code == REFUSED:  # it has logged why
                self._code = REFUSED
                self._stopping.set()
            elif not self._stopping.is_set():
                pause = self._pauses.after(pause, asyncio.get_running_loop().time() - began)
                log.warning("receiver.replaced", process=index, code=code, wait=pause)
                await self._stops_within(pause)

    async def _run(self, index: int) -> int:
        """Run one process until it ends, or until it has been asked to; return its exit code."""
        process = await create_subprocess_exec(
            *self._commands[index],
            # The process ends when this pipe closes, however its parent has ended.
            stdin=PIPE,
            env=self._environ,
            pass_fds=self._descriptors,
        )
        stops = asyncio.create_task(self._stopping.wait())
        ended = asyncio.create_task(process.wait())
        await asyncio.wait((stops, ended), return_when=asyncio.FIRST_COMPLETED)
        stops.cancel()
        if not ended.done():
            await _stop(process)
        return await ended

    async def _stops_within(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return


async def _stop(process: Process) -> None:
    process.terminate()
    try:
        async with asyncio.timeout(DRAIN):
            await process.wait()
    except TimeoutError:
        process.kill()


def child_commands(count: int, listeners: Sequence[socket.socket]) -> list[list[str]]:
    """Return the commands of `count` receivers that accept from `listeners`."""
    descriptors = [str(listener.fileno()) for listener in listeners]
    module = "webhook.processes.child"
    return [[sys.executable, "-m", module, str(index), *descriptors] for index in range(count)]
