"""The command line: `falhook`, also `python -m worker`."""

import sys

from worker.cli.interrupts import INTERRUPTED, exit_on_interrupt, raise_on_interrupt


def main() -> None:
    """Run the command line and exit with its code; Ctrl-C ends it at any time with code 130."""
    exit_on_interrupt()
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
