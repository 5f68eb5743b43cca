"""What Ctrl-C does: end the process at once, or raise, or wait for a block of code to end."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# The shell's exit code of a program that Ctrl-C ended: 128 and SIGINT.
INTERRUPTED = 130


def exit_on_interrupt() -> None:
    """End the process with code 130 on Ctrl-C, without an exception.

    While modules are imported and while the interpreter ends, an exception would be a traceback.
    """
    _on_interrupt(_exit)


def raise_on_interrupt() -> None:
    """Raise KeyboardInterrupt on Ctrl-C, as Python does by itself."""
    _on_interrupt(signal.default_int_handler)


def _on_interrupt(handler: Callable[[int, FrameType | None], object]) -> None:
    # A shell without job control tells programs in the background to ignore Ctrl-C.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, handler)


def _exit(_signal: int, _frame: FrameType | None) -> None:
    if os.isatty(2):
        os.write(2, b"\n")  # the shell's prompt begins a line
    os._exit(INTERRUPTED)


@contextmanager
def defer_interrupts() -> Iterator[None]:
    """Raise KeyboardInterrupt after the block instead of within it.

    A second interrupt ends the block immediately, since it may wait for a server that hangs. In a
    thread, which receives no signals, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupted = False

    def defer(_signal: int, _frame: FrameType | None) -> None:
        nonlocal interrupted
        if interrupted:
            raise KeyboardInterrupt
        interrupted = True

    previous = signal.signal(signal.SIGINT, defer)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if interrupted:
        raise KeyboardInterrupt
