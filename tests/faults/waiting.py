"""Waiting for what processes of their own do, with a bound and a sentence."""

import threading
import time
from collections.abc import Callable

_PAUSE = 0.05


def until(seen: Callable[[], bool], what: str, seconds: float) -> float:
    """The seconds until `seen()` was true; fails with `what` after `seconds`.

    Other processes are watched, which signal nothing to this one.
    """
    began = time.monotonic()
    pause = threading.Event()
    while not seen():
        assert time.monotonic() - began < seconds, f"{what}: not within {seconds:g} s"
        pause.wait(_PAUSE)
    return time.monotonic() - began
