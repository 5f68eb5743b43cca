"""Children end with their owner, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from infra.local.supervisor.process_guard import ProcessGuard, guard
from tests.factories.processes import await_end, owner, read_line

OWNER = """
import subprocess, sys
from infra.local.supervisor.process_guard import Lifetime
lifetime = Lifetime()
child = lifetime.spawn(("sh", "-c", "sleep 600 & echo $! $$; wait"), output=subprocess.PIPE)
print(child.stdout.readline().decode(), end="", flush=True)
sys.stdin.read() if sys.argv[1] == "stay" else sys.exit(int(sys.argv[1]))
"""
SLEEP = ("sleep", "600")
killed = -signal.SIGKILL


@pytest.fixture
def lifetime() -> Iterator[ProcessGuard]:
    """A lifetime that is closed at the end."""
    lifetime = ProcessGuard()
    yield lifetime
    lifetime.close()


def test_a_killed_owner_takes_child_and_grandchild_with_it() -> None:
    """SIGKILL of the owner ends the child and what the child started in its group."""
    with owner(OWNER, "stay") as process:
        grandchild, child = map(int, read_line(process).split())
        process.kill()
        await_end(child)
        await_end(grandchild)


@pytest.mark.parametrize("code", [0, 1])
def test_an_owner_that_just_exits_leaves_nobody(code: int) -> None:
    """An owner that exits without a word to its children ends them."""
    with owner(OWNER, str(code)) as process:
        grandchild, child = map(int, read_line(process).split())
        assert code == process.wait()
        await_end(child)
        await_end(grandchild)


def test_an_owner_killed_while_it_starts_children_leaves_nobody() -> None:
    """However far the start of a child has come when the owner dies, it ends."""
    script = """
import os, subprocess
from infra.local.supervisor.process_guard import Lifetime
lifetime = Lifetime()
pids = [lifetime.spawn(("sleep", "600"), output=subprocess.DEVNULL).pid for _ in range(5)]
print(*pids, flush=True)
os.kill(os.getpid(), 9)
"""
    with owner(script) as process:
        for pid in map(int, read_line(process).split()):
            await_end(pid)


def test_the_pid_is_the_programs_and_leads_its_own_session(lifetime: ProcessGuard) -> None:
    """No shell stays in between, and a terminal's Ctrl-C does not reach the child."""
    child = lifetime.spawn(("sh", "-c", "echo $$"), output=subprocess.PIPE)
    assert child.stdout is not None
    with child.stdout:
        assert child.pid == int(child.stdout.read())
    child.wait()
    lifetime.release(child)

    sleeper = lifetime.spawn(SLEEP, output=subprocess.DEVNULL)
    assert sleeper.pid == os.getsid(sleeper.pid)
    lifetime.close()
    assert killed == sleeper.wait()


def test_a_killed_guard_is_replaced_and_knows_the_living() -> None:
    """After the guard itself was killed, children from before and after still end."""
    script = """
import subprocess, sys
from infra.local.supervisor.process_guard import Lifetime
lifetime = Lifetime()
first = lifetime.spawn(("sleep", "600"), output=subprocess.DEVNULL)
lifetime._guard.kill(); lifetime._guard.wait()
second = lifetime.spawn(("sleep", "600"), output=subprocess.DEVNULL)
print(first.pid, second.pid, flush=True)
sys.stdin.read()
"""
    with owner(script) as process:
        first, second = map(int, read_line(process).split())
        process.kill()
        await_end(first)
        await_end(second)


def test_release_kills_what_an_ended_process_left_behind(lifetime: ProcessGuard) -> None:
    """A grandchild in the group does not outlive its parent's release."""
    child = lifetime.spawn(("sh", "-c", "sleep 600 & echo $!"), output=subprocess.PIPE)
    assert child.stdout is not None
    with child.stdout as output:
        grandchild = int(output.readline())
    child.wait()
    lifetime.release(child)
    await_end(grandchild)


def test_the_guard_spares_what_was_released() -> None:
    """A group that was noted and released is not killed, one that is still noted is."""
    with (
        subprocess.Popen(SLEEP, start_new_session=True) as released,
        subprocess.Popen(SLEEP, start_new_session=True) as noted,
    ):
        guard([b"+%d\n" % released.pid, b"+%d\n" % noted.pid, b"-%d\n" % released.pid])
        assert killed == noted.wait()
        assert released.poll() is None
        released.kill()
