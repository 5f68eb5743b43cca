"""The command line: `falhook`, also `python -m worker`."""

import gc
import sys

from worker.cli.interrupts import INTERRUPTED, exit_on_interrupt, raise_on_interrupt

# Objects made between two searches for garbage. Imports make many that stay: with Python's 700, a
# tenth of the time of a command went into searching them.
_OBJECTS = 100_000


def main() -> None:
    """Run the command line and exit with its code; Ctrl-C ends it at any time with code 130."""
    exit_on_interrupt()
    gc.set_threshold(_OBJECTS)
    from worker.cli.main import run

    try:
        raise_on_interrupt()
        code = run()
    except KeyboardInterrupt:
        code = INTERRUPTED
    finally:
        exit_on_interrupt()
    sys.exit(code)


if __name__ == "__main__":
    main()
