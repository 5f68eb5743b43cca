"""The command line: `falhook`, also `python -m worker`."""

import sys

try:
    # Most of a second goes by in here, in which somebody may change their mind.
    from worker.cli.main import cli, run
except KeyboardInterrupt:
    sys.exit(130)

__all__ = ["cli", "main"]


def main() -> None:
    """Run the command line, and end."""
    try:
        code = run()
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
