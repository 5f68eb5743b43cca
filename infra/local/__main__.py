"""`python -m infra.local demo | up`; Ctrl-C ends it at any time with exit code 130."""

import os
import signal
import sys
from types import FrameType


def _exit(_signal: int, _frame: FrameType | None) -> None:
    os._exit(130)


def main() -> int:
    """Run the command and return its exit code."""
    # The imports take a second under load, and an exception in them would be a traceback.
    # A shell without job control tells programs in the background to ignore Ctrl-C.
    python = signal.getsignal(signal.SIGINT)
    if python is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _exit)
    from infra.local import commands

    signal.signal(signal.SIGINT, python)
    return commands.main()


if __name__ == "__main__":
    sys.exit(main())
