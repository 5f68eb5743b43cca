"""The supervisor, with real processes that are really killed."""

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
    """A queue of the output lines."""

    def __init__(self) -> None:
        """Create an empty queue."""
        self._lines: queue.Queue[tuple[str, bytes]] = queue.Queue()

    def __call__(self, name: str, line: bytes) -> None:
        """Add a line."""
        self._lines.put((name, line))

    def line(self, timeout: float = 10) -> tuple[str, str]:
        """Wait for the next line; return it with its process name."""
        name, line = self._lines.get(timeout=timeout)
        return name, line.decode().rstrip("\n")

    def pid(self) -> int:
        """Return the next printed pid."""
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
    """Run the processes; stop all of them at the end of the block."""
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


def test_output_is_forwarded_and_the_environment_is_used(output: Output, tmp_path: Path) -> None:
    """Lines of stdout and stderr are forwarded; variables, assignments and cwd are used."""
    command = """TASTE=sweet sh -c 'echo "$COLOUR $TASTE"; pwd >&2; exec sleep 600'"""
    with supervised(output, cwd=tmp_path, fruit=command):
        lines = [output.line(), output.line()]
    expected = [("fruit", "green sweet"), ("fruit", str(tmp_path))]
    assert expected == lines


def test_the_pid_is_the_programs_own(output: Output) -> None:
    """No shell remains between the supervisor and the program."""
    program = python("import os, signal; print(os.getpid()); signal.pause()")
    with supervised(output, bare=program, already_exec=f"exec {program}") as supervisor:
        seen = dict([output.line(), output.line()])
        expected = {name: str(supervisor.wait_running(name)) for name in ("bare", "already_exec")}
    assert expected == seen


def test_a_killed_process_restarts_and_the_others_continue(output: Output) -> None:
    """After each SIGKILL a new process has the same name; the other process keeps its pid."""
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
def test_a_process_that_exits_restarts(output: Output, code: int) -> None:
    """Every exit except a refusal is followed by a restart, even a successful one."""
    with supervised(output, worker=f"sh -c 'echo $$; exit {code}'"):
        pids = [output.pid() for _ in range(4)]
    assert len(pids) == len(set(pids))


@pytest.mark.parametrize(
    ("command", "how"),
    [
        ("sh -c 'kill -KILL $$'", "was killed by SIGKILL"),
        ("sh -c 'kill -40 $$'", "was killed by signal 40"),
        ("sh -c 'exit 3'", "exited with code 3"),
    ],
)
def test_a_restart_is_reported(output: Output, command: str, how: str) -> None:
    """The output says which process ended, how, and in how many seconds it restarts."""
    with supervised(output, media=command):
        lines = [output.line(), output.line()]
    expected = [("media", f"media {how} and restarts in {s} s.") for s in (0.01, 0.02)]
    assert expected == lines


def test_a_requested_stop_is_not_reported_as_a_restart(output: Output) -> None:
    """A stop reports no restart."""
    with supervised(output, worker="sh -c 'echo $$; exec sleep 600'") as supervisor:
        output.pid()
        supervisor.stop(grace=10)
    with pytest.raises(queue.Empty):
        output.line(timeout=0)


def test_the_children_of_a_killed_process_are_killed(output: Output) -> None:
    """A killed worker's children do not continue next to those of its successor."""
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
def test_a_refusal_stops_everything_and_is_reported(
    output: Output, command: str, code: int, last_line: str
) -> None:
    """A process that refuses to start is not restarted; `wait` raises its last lines."""
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


def test_a_missing_directory_is_reported(output: Output, tmp_path: Path) -> None:
    """If a process cannot be started, `wait` raises the system's error."""
    with (
        supervised(output, cwd=tmp_path / "gone", web=SLEEP) as supervisor,
        pytest.raises(FileNotFoundError, match="gone"),
    ):
        supervisor.wait()


def test_a_broken_output_is_reported() -> None:
    """If output can no longer be written, all processes are stopped."""

    def closed(name: str, line: bytes) -> None:
        raise BrokenPipeError("the reader has gone")

    with (
        supervised(closed, talker=python('[print("word") for _ in range(100000)]')) as supervisor,
        pytest.raises(BrokenPipeError, match="the reader has gone"),
    ):
        supervisor.wait()


def test_stop_lets_processes_clean_up(output: Output) -> None:
    """SIGTERM reaches the program, and its last lines are still forwarded."""
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


def test_stop_kills_the_group_of_a_process_that_does_not_end(output: Output) -> None:
    """A process that ignores SIGTERM is killed after the grace, with its children."""
    with supervised(output, deaf="sh -c 'trap : TERM; sleep 600 & echo $!; wait; wait'") as deaf:
        grandchild = int(output.line()[1])
        pid = deaf.wait_running("deaf")
        deaf.stop(grace=0.1)
        await_end(pid, seconds=0)
        await_end(grandchild)
        deaf.stop(grace=0.1)


def test_stop_during_a_delay_starts_nothing(output: Output) -> None:
    """A process that waits for its restart is not started, and stop returns immediately."""
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
    """A stop request lets `wait` return, and `wait_running` raise an error."""
    with supervised(output, worker=SLEEP) as supervisor:
        pid = supervisor.wait_running("worker")
        supervisor.request_stop()
        supervisor.wait()
        await_end(pid)
        with pytest.raises(RuntimeError, match="being stopped"):
            supervisor.wait_running("worker", restarts=1)


def test_waiting_for_a_restart_has_a_timeout(output: Output) -> None:
    """If the process is not restarted, TimeoutError names it."""
    with (
        supervised(output, worker=SLEEP) as supervisor,
        pytest.raises(TimeoutError, match="worker was not running after"),
    ):
        supervisor.wait_running("worker", restarts=1, timeout=0.05)


def test_a_killed_supervisor_leaves_no_process() -> None:
    """SIGKILL of the owner ends every process and its children."""
    with owner(OWNER) as process:
        grandchild, child = map(int, read_line(process).split())
        process.kill()
        await_end(child)
        await_end(grandchild)


def test_ctrl_c_reaches_only_the_owner_which_stops_all() -> None:
    """SIGINT to the foreground group reaches the owner, which stops all processes."""
    with owner(OWNER, start_new_session=True) as process:
        grandchild, child = map(int, read_line(process).split())
        os.killpg(process.pid, signal.SIGINT)
        assert "interrupted" in read_line(process)
        assert not process.wait()
        await_end(child)
        await_end(grandchild)


@contextmanager
def interrupted_at(step: int) -> Iterator[None]:
    """Raise KeyboardInterrupt at this step of the calls in the block, as Ctrl-C might.

    Callbacks of weak references and finalizers do not count as steps, since Python only prints
    exceptions raised in them.
    """
    steps_left = step
    previous_trace = sys.gettrace()

    def trace(frame: FrameType, event: str, argument: object) -> "TraceFunction | None":
        nonlocal steps_left
        if frame.f_code.co_filename == weakref_callbacks.__file__:
            return None
        steps_left -= 1
        if not steps_left:
            sys.settrace(previous_trace)
            raise KeyboardInterrupt
        return trace

    gc.disable()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(previous_trace)
        gc.enable()


def test_stop_works_after_an_interrupt_at_any_step(output: Output) -> None:
    """After Ctrl-C at any step of the owner's calls, no thread is blocked and stop works."""
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
    """The delays after successive short runs grow, up to `longest`."""
    backoff = Backoff()
    delays = [0.0]
    for ran in runs:
        delays.append(backoff.after(delays[-1], ran))
    assert delays == sorted(delays)
    assert backoff.longest >= delays[-1]


@given(st.floats(min_value=0, max_value=5), st.floats(min_value=10, max_value=1e6))
def test_a_long_run_resets_the_delay(previous: float, ran: float) -> None:
    """After a long run the delay is `first` again."""
    backoff = Backoff()
    assert backoff.first == backoff.after(previous, ran)


def test_a_refusal_is_shown_as_its_sentence() -> None:
    """The log lines of a process that refused to start are read for a person."""
    refused = '{"event": "process.refused", "sentence": "REDIS_URL is not set."}'
    error = ProcessRefused("web", 2, ('{"event": "other"}', "text", refused))
    assert "web refused to start (exit code 2):\nREDIS_URL is not set." == str(error)
