"""What a process notes, and systemd's watchdog, which is told while no thread is stuck."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery.signals import beat_init

from tests.factories.deployments import longest_steps
from webhook.contract import ROUTES, Task
from worker.liveness.beats import Beats
from worker.liveness.longest import MOST


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket at which systemd waits for beats of this process."""
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(address))
        listener.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(address))
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
        yield listener


def test_systemd_hears_beats(systemd: socket.socket) -> None:
    """Each turn is a beat, without a file."""
    beats = Beats(None)
    assert beats.wanted
    beats.turn(broker=False)
    assert b"WATCHDOG=1" == systemd.recv(100)


def test_systemd_hears_nothing_of_a_stuck_thread(systemd: socket.socket) -> None:
    """Until it ends, or says that it goes on."""
    clock = Clock()
    beats = Beats(None, clock=clock)
    beats.begin("falhook.sweep", most=10)
    clock.now += 11
    beats.turn(broker=True)
    with pytest.raises(BlockingIOError):
        systemd.recv(100)
    beats.go_on()
    beats.turn(broker=True)
    assert b"WATCHDOG=1" == systemd.recv(100)


def test_the_watchdog_of_another_process_is_not_ours(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child of a watched process is not watched, and nobody looks without the setting."""
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert not Beats(None).wanted


def test_a_disk_that_is_full_ends_no_loop(tmp_path: Path) -> None:
    """A directory that is gone is no reason to end."""
    beats = Beats(tmp_path / "gone")
    beats.name("media@host")
    beats.turn(broker=True)
    beats.remove()


def test_nothing_is_connected_unless_wanted() -> None:
    """Without the setting, and without systemd, a process notes nothing."""
    receivers = len(beat_init.receivers or ())
    assert not Beats(None).wanted
    assert receivers == len(beat_init.receivers or ())


@pytest.mark.parametrize("task", Task)
def test_no_message_is_stuck_that_may_still_run(task: Task) -> None:
    """A thread has more time than the longest step of its queue."""
    process = ROUTES[task].removeprefix("falhook.")
    longest = longest_steps()[process] if task in {Task.TRANSCODE_TAG, Task.SUBMIT} else 0.0
    assert longest < MOST[task]
