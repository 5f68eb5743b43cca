"""The supervisor with real processes, really killed."""

from __future__ import annotations

import _weakrefset as weakref_callbacks
import gc
import itertools
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.supervisor.restart_policy import Backoff, ProcessRefused
from infra.local.supervisor.supervisor import Supervisor
from tests.factories.processes import await_end, owner, read_line

if TYPE_CHECKING:
    from _typeshed import TraceFunction

FAST = Backoff(first=0.01, longest=0.02)
SLEEP = "sleep 600"
OWNER = """
import os, pathlib, sys
from infra.local.supervisor.supervisor import Supervisor
supervisor = Supervisor(
    processes={"worker": "sh -c 'sleep 600 & echo $! $$; wait'"},
    environ=os.environ,
    cwd=pathlib.Path.cwd(),
    output=lambda name, line: print(line.decode(), end="", flush=True),
)
try:
    with supervisor:
        supervisor.wait()
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


class Output:
    """Collects the lines; `line` waits for the next one."""

    def __init__(self) -> None:
        """Begin empty."""
        self._lines: queue.Queue[tuple[str, bytes]] = queue.Queue()

    def __call__(self, name: str, line: bytes) -> None:
        """Take a line."""
        self._lines.put((name, line))

    def line(self, timeout: float = 10) -> tuple[str, str]:
        """Return the next process name and line."""
        name, line = self._lines.get(timeout=timeout)
        return name, line.decode().rstrip("\n")

    def pid(self) -> int:
        """Return the next pid that a process printed."""
        while not (line := self.line()[1]).isdecimal():
            pass
        return int(line)


@pytest.fixture
def output() -> Output:
    """An empty output."""
    return Output()


@contextmanager
def supervised(
    output: Callable[[str, bytes], None], cwd: Path | None = None, **processes: str
) -> Iterator[Supervisor]:
    """Run the processes and leave none behind, however the test ends."""
    supervisor = Supervisor(
        processes=processes,
        environ={**os.environ, "COLOUR": "green"},
        cwd=cwd or Path.cwd(),
        output=output,
        backoff=FAST,
    )
    supervisor.start()
    try:
        yield supervisor
    finally:
        supervisor.stop(grace=0)


def python(program: str) -> str:
    """Return the command that runs a Python program."""
    return f"{sys.executable} -c '{program}'"


def test_output_is_passed_on_by_name_in_the_given_surroundings(
    output: Output, tmp_path: Path
) -> None:
    """stdout and stderr arrive by line; variables, assignments and cwd are as given."""
    command = """TASTE=sweet sh -c 'echo "$COLOUR $TASTE"; pwd >&2; exec sleep 600'"""
    with supervised(output, cwd=tmp_path, fruit=command):
        lines = [output.line(), output.line()]
    expected = [("fruit", "green sweet"), ("fruit", str(tmp_path))]
    assert expected == lines


def test_the_pid_is_the_programs_own(output: Output) -> None:
    """No shell stands between the supervisor and the program."""
    program = python("import os, signal; print(os.getpid()); signal.pause()")
    with supervised(output, bare=program, already_exec=f"exec {program}") as supervisor:
        seen = dict([output.line(), output.line()])
        expected = {name: str(supervisor.wait_running(name)) for name in ("bare", "already_exec")}
    assert expected == seen


def test_a_killed_process_runs_again_and_the_others_run_on(output: Output) -> None:
    """SIGKILL brings a new process under the same name, twice; its neighbour keeps its pid."""
    with supervised(output, worker=SLEEP, web=SLEEP) as supervisor:
        pids = [supervisor.wait_running("worker")]
        web = supervisor.wait_running("web")
        for restarts in (1, 2):
            os.kill(pids[-1], signal.SIGKILL)
            pids.append(supervisor.wait_running("worker", restarts=restarts))
            assert restarts == supervisor.restarts("worker")
        assert sorted(set(pids)) == sorted(pids)
        assert web == supervisor.pid("web")
        assert not supervisor.restarts("web")


@pytest.mark.parametrize("code", [0, 1, 3])
def test_a_process_that_exits_runs_again(output: Output, code: int) -> None:
    """Any exit but a refusal is followed by a new start, a good one too."""
    with supervised(output, worker=f"sh -c 'echo $$; exit {code}'"):
        pids = [output.pid() for _ in range(4)]
    assert len(pids) == len(set(pids))


@pytest.mark.parametrize(
    ("command", "how"),
    [
        ("sh -c 'kill -KILL $$'", "was ended by SIGKILL"),
        ("sh -c 'kill -40 $$'", "was ended by signal 40"),
        ("sh -c 'exit 3'", "ended by itself (exit code 3)"),
    ],
)
def test_a_new_start_is_told(output: Output, command: str, how: str) -> None:
    """Whoever watches sees which process ended, how, and in how many seconds it is back."""
    with supervised(output, media=command):
        told = [output.line(), output.line()]
    expected = [("media", f"media {how} and is started again in {s} s.") for s in (0.01, 0.02)]
    assert expected == told


def test_an_end_that_was_asked_for_is_not_told_as_a_new_start(output: Output) -> None:
    """On Ctrl-C nobody reads that what ends is started again."""
    with supervised(output, worker="sh -c 'echo $$; exec sleep 600'") as supervisor:
        output.pid()
        supervisor.stop(grace=10)
    with pytest.raises(queue.Empty):
        output.line(timeout=0)


def test_what_a_killed_process_leaves_in_its_group_is_ended(output: Output) -> None:
    """A worker's own children do not run on beside those of its successor."""
    with supervised(output, worker="sh -c 'sleep 600 & echo $!; wait'") as supervisor:
        grandchild = int(output.line()[1])
        os.kill(supervisor.wait_running("worker"), signal.SIGKILL)
        await_end(grandchild)
        supervisor.wait_running("worker", restarts=1)


@pytest.mark.parametrize(
    ("command", "code", "last_line"),
    [
        ("sh -c 'echo starting; echo FALHOOK_SECRET is not set. >&2; exit 2'", 2, "FALHOOK_SECRET"),
        ("no-such-program --at-all", 127, "no-such-program"),
        ("/", 126, "ermission denied"),
    ],
)
def test_a_refusal_ends_everything_and_is_reported(
    output: Output, command: str, code: int, last_line: str
) -> None:
    """A process that says it was started wrongly is not tried again; wait tells its last words."""
    with supervised(output, web=SLEEP, worker=command) as supervisor:
        with pytest.raises(ProcessRefused, match=last_line) as refused:
            supervisor.wait()
        with pytest.raises(ProcessRefused):
            supervisor.wait_running("worker", restarts=1)
        supervisor.stop(grace=10)
        assert not supervisor.restarts("worker")
        assert supervisor.pid("web") is None
    expected = ("worker", code)
    assert expected == (refused.value.name, refused.value.code)
    assert last_line in refused.value.last_lines[-1]


def test_a_directory_that_is_not_there_is_reported(output: Output, tmp_path: Path) -> None:
    """What cannot even be started ends the wait with the system's own error."""
    with (
        supervised(output, cwd=tmp_path / "gone", web=SLEEP) as supervisor,
        pytest.raises(FileNotFoundError, match="gone"),
    ):
        supervisor.wait()


def test_a_broken_output_is_reported() -> None:
    """Where lines can no longer be passed on, all ends instead of running on unseen."""

    def closed(name: str, line: bytes) -> None:
        raise BrokenPipeError("the reader has gone")

    with (
        supervised(closed, talker=python('[print("word") for _ in range(100000)]')) as supervisor,
        pytest.raises(BrokenPipeError, match="the reader has gone"),
    ):
        supervisor.wait()


def test_stop_lets_each_end_in_its_own_way(output: Output) -> None:
    """SIGTERM reaches the program, and what it prints last is still passed on."""
    program = "sh -c 'trap \"echo tidied; exit 0\" TERM; sleep 600 & echo ready; wait'"
    with supervised(output, worker=program) as supervisor:
        ready = output.line()
        pid = supervisor.wait_running("worker")
        supervisor.stop(grace=30)
        await_end(pid, seconds=0)
        tidied = output.line()
        assert supervisor.pid("worker") is None
    expected = [("worker", "ready"), ("worker", "tidied")]
    assert expected == [ready, tidied]


def test_stop_kills_the_group_of_one_that_does_not_end(output: Output) -> None:
    """After the grace a process that ignores SIGTERM is killed, its children with it."""
    with supervised(output, deaf="sh -c 'trap : TERM; sleep 600 & echo $!; wait; wait'") as deaf:
        grandchild = int(output.line()[1])
        pid = deaf.wait_running("deaf")
        deaf.stop(grace=0.1)
        await_end(pid, seconds=0)
        await_end(grandchild)
        deaf.stop(grace=0.1)


def test_stop_during_a_delay_starts_nothing_more(output: Output) -> None:
    """A process that waits for its next start is not started any more, and stop does not wait."""
    supervisor = Supervisor(
        processes={"worker": "sh -c 'echo $$'"},
        environ=os.environ,
        cwd=Path.cwd(),
        output=output,
        backoff=Backoff(first=600),
    )
    with supervisor:
        await_end(int(output.line()[1]))
    assert not supervisor.restarts("worker")


def test_request_stop_ends_the_wait(output: Output) -> None:
    """Another thread's request lets wait return; whoever awaits a restart is told."""
    with supervised(output, worker=SLEEP) as supervisor:
        pid = supervisor.wait_running("worker")
        supervisor.request_stop()
        supervisor.wait()
        await_end(pid)
        with pytest.raises(RuntimeError, match="being stopped"):
            supervisor.wait_running("worker", restarts=1)


def test_waiting_for_a_restart_that_does_not_come_is_bounded(output: Output) -> None:
    """A process that simply runs on raises TimeoutError with its name."""
    with (
        supervised(output, worker=SLEEP) as supervisor,
        pytest.raises(TimeoutError, match="worker was not running again"),
    ):
        supervisor.wait_running("worker", restarts=1, timeout=0.05)


def test_a_killed_supervisor_leaves_nobody() -> None:
    """SIGKILL of the owner ends every process and its children."""
    with owner(OWNER) as process:
        grandchild, child = map(int, read_line(process).split())
        process.kill()
        await_end(child)
        await_end(grandchild)


def test_ctrl_c_reaches_the_owner_alone_which_ends_all() -> None:
    """SIGINT to the foreground group stops the owner, and by it, in order, everything."""
    with owner(OWNER, start_new_session=True) as process:
        grandchild, child = map(int, read_line(process).split())
        os.killpg(process.pid, signal.SIGINT)
        assert "interrupted" in read_line(process)
        assert not process.wait()
        await_end(child)
        await_end(grandchild)


@contextmanager
def interrupted_at(step: int) -> Iterator[None]:
    """Raise KeyboardInterrupt at the given step of the calls made here, as Ctrl-C might.

    Callbacks of weak references and finalizers are no steps: what is raised in them Python only
    prints.
    """
    left = step
    before = sys.gettrace()

    def trace(frame: FrameType, event: str, argument: object) -> TraceFunction | None:
        nonlocal left
        if frame.f_code.co_filename == weakref_callbacks.__file__:
            return None
        left -= 1
        if not left:
            sys.settrace(before)
            raise KeyboardInterrupt
        return trace

    gc.disable()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)
        gc.enable()


def test_an_interrupt_at_any_step_leaves_stop_able_to_end_all(output: Output) -> None:
    """Wherever in the owner's calls Ctrl-C strikes, no thread is locked out and stop ends all."""
    for step in itertools.count(1):
        with supervised(output, worker=SLEEP) as supervisor:
            pid = supervisor.wait_running("worker")
            try:
                with interrupted_at(step):
                    supervisor.wait_running("worker")
                    supervisor.restarts("worker")
                    supervisor.request_stop()
                    supervisor.wait()
            except KeyboardInterrupt:
                supervisor.stop(grace=10)
                await_end(pid, seconds=0)
                assert [] == [
                    thread.name for thread in threading.enumerate() if thread.name == "worker"
                ]
            else:
                break
    assert step > 20


@given(st.lists(st.floats(min_value=0, max_value=9.9), min_size=1))
def test_delays_grow_up_to_a_bound(runs: list[float]) -> None:
    """Deaths in quick succession wait ever longer, never longer than the bound."""
    backoff = Backoff()
    delays = [0.0]
    for ran in runs:
        delays.append(backoff.after(delays[-1], ran))
    assert delays == sorted(delays)
    assert backoff.longest >= delays[-1]


@given(st.floats(min_value=0, max_value=5), st.floats(min_value=10, max_value=1e6))
def test_a_long_run_begins_anew(previous: float, ran: float) -> None:
    """A process that ran a while is started again as after its first death."""
    backoff = Backoff()
    assert backoff.first == backoff.after(previous, ran)
