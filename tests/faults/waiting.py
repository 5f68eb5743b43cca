"""Waiting for other processes, which cannot signal this one."""

import threading
import time
from collections.abc import Callable

_PAUSE = 0.05


def until(condition: Callable[[], bool], what: str, seconds: float) -> float:
    """Wait until `condition()` is true and return the seconds; fail with `what` after `seconds`."""
    began = time.monotonic()
    pause = threading.Event()
    while not condition():
        assert time.monotonic() - began < seconds, f"{what}: not within {seconds:g} s"
        pause.wait(_PAUSE)
    return time.monotonic() - began
