"""Waiting for other processes, which cannot signal this one."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_PAUSE = 0.05
_CHECKS: list[Callable[[], None]] = []


@contextmanager
def checking(check: Callable[[], None]) -> Iterator[None]:
    """During the block, let all waiting end with what `check` raises, such as a stack's end."""
    _CHECKS.append(check)
    try:
        yield
    finally:
        _CHECKS.remove(check)


def check() -> None:
    """Raise what one of the checks raises."""
    for each in _CHECKS:
        each()


def pause(seconds: float) -> None:
    """Wait for `seconds`, or raise what a check raises meanwhile."""
    ends = time.monotonic() + seconds
    while (left := ends - time.monotonic()) > 0:
        check()
        threading.Event().wait(min(left, _PAUSE))


def until(condition: Callable[[], bool], what: str, seconds: float) -> float:
    """Wait until `condition()` is true and return the seconds; fail with `what` after `seconds`."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"{what}: not within {seconds:g} s"
        pause(_PAUSE)
    return time.monotonic() - began
