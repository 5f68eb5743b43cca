"""Child processes end with their owner, even if it is killed."""

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from infra.local.supervisor.process_guard import ProcessGuard, run_guard
from tests.factories.processes import await_end, owner, read_line

OWNER = """
import subprocess, sys
from infra.local.supervisor.process_guard import ProcessGuard
guard = ProcessGuard()
child = guard.spawn(("sh", "-c", "sleep 600 & echo $! $$; wait"), output=subprocess.PIPE)
print(child.stdout.readline().decode(), end="", flush=True)
sys.stdin.read() if sys.argv[1] == "stay" else sys.exit(int(sys.argv[1]))
"""
SLEEP = ("sleep", "600")
KILLED = -signal.SIGKILL


@pytest.fixture
def guard() -> Iterator[ProcessGuard]:
    """A guard that is closed after the test."""
    guard = ProcessGuard()
    yield guard
    guard.close()


def test_a_killed_owner_ends_child_and_grandchild() -> None:
    """SIGKILL of the owner ends the child and the rest of its group."""
    with owner(OWNER, "stay") as process:
        grandchild, child = map(int, read_line(process).split())
        process.kill()
        await_end(child)
        await_end(grandchild)


@pytest.mark.parametrize("code", [0, 1])
def test_an_owner_that_exits_leaves_no_process(code: int) -> None:
    """The children of an owner that exits without stopping them are killed."""
    with owner(OWNER, str(code)) as process:
        grandchild, child = map(int, read_line(process).split())
        assert code == process.wait()
        await_end(child)
        await_end(grandchild)


def test_an_owner_killed_while_it_starts_children_leaves_no_process() -> None:
    """A child ends even if its owner dies while the child is starting."""
    script = """
import os, subprocess
from infra.local.supervisor.process_guard import ProcessGuard
guard = ProcessGuard()
pids = [guard.spawn(("sleep", "600"), output=subprocess.DEVNULL).pid for _ in range(5)]
print(*pids, flush=True)
os.kill(os.getpid(), 9)
"""
    with owner(script) as process:
        for pid in map(int, read_line(process).split()):
            await_end(pid)


def test_the_pid_is_the_programs_own_and_leads_a_session(guard: ProcessGuard) -> None:
    """No shell remains, and a terminal's Ctrl-C does not reach the child."""
    child = guard.spawn(("sh", "-c", "echo $$"), output=subprocess.PIPE)
    assert child.stdout is not None
    with child.stdout:
        assert child.pid == int(child.stdout.read())
    child.wait()
    guard.release(child)

    sleeper = guard.spawn(SLEEP, output=subprocess.DEVNULL)
    assert sleeper.pid == os.getsid(sleeper.pid)
    guard.close()
    assert KILLED == sleeper.wait()


def test_a_killed_guard_process_is_replaced() -> None:
    """Children from before and after the kill of the guard process still end."""
    script = """
import subprocess, sys
from infra.local.supervisor.process_guard import ProcessGuard
guard = ProcessGuard()
first = guard.spawn(("sleep", "600"), output=subprocess.DEVNULL)
guard._guard.kill(); guard._guard.wait()
second = guard.spawn(("sleep", "600"), output=subprocess.DEVNULL)
print(first.pid, second.pid, flush=True)
sys.stdin.read()
"""
    with owner(script) as process:
        first, second = map(int, read_line(process).split())
        process.kill()
        await_end(first)
        await_end(second)


def test_release_kills_the_rest_of_the_group(guard: ProcessGuard) -> None:
    """A grandchild in the group is killed when its parent is released."""
    child = guard.spawn(("sh", "-c", "sleep 600 & echo $!"), output=subprocess.PIPE)
    assert child.stdout is not None
    with child.stdout as output:
        grandchild = int(output.readline())
    child.wait()
    guard.release(child)
    await_end(grandchild)


def test_released_groups_are_not_killed() -> None:
    """At the end of its input, the guard kills only the groups that are still registered."""
    with (
        subprocess.Popen(SLEEP, start_new_session=True) as released,
        subprocess.Popen(SLEEP, start_new_session=True) as registered,
    ):
        run_guard([b"+%d\n" % released.pid, b"+%d\n" % registered.pid, b"-%d\n" % released.pid])
        assert KILLED == registered.wait()
        assert released.poll() is None
        released.kill()
