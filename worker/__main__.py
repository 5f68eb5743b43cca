"""The command line: `falhook`, also `python -m worker`."""

import sys

try:
    # The imports take most of a second, in which the user may press Ctrl-C.
    from worker.cli.main import run
except KeyboardInterrupt:
    sys.exit(130)


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        code = run()
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
