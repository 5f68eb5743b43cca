"""All commands of `falhook`, and the exit code of each run."""

import sys

import click

from worker.cli.cancel import cancel
from worker.cli.check.command import check
from worker.cli.errors import CliError
from worker.cli.models.command import models
from worker.cli.provenance import provenance
from worker.cli.retry import retry
from worker.cli.settings import settings
from worker.cli.show import list_jobs, show
from worker.cli.stdout import CLOSED, Unwritable, discard, guard
from worker.cli.submit.command import submit
from worker.cli.watch import watch

INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="falhook")
def cli() -> None:
    """Generative video on fal: submit once, never poll, never pay twice."""


for command in (submit, watch, show, list_jobs, retry, cancel, models, check, settings, provenance):
    cli.add_command(command)


def run() -> int:
    """Run the command line and return its exit code; 2 is an error that the caller can correct."""
    guard()
    try:
        code = _run_command()
        if sys.stdout is not None:  # None if the descriptor is closed
            sys.stdout.flush()
    except Unwritable as unwritable:
        discard()
        if unwritable.closed:
            return CLOSED
        return _print_error(CliError(str(unwritable), reason="output_unwritable"))
    return code


def _run_command() -> int:
    try:
        return int(cli.main(standalone_mode=False) or 0)
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    except click.ClickException as error:
        return _print_error(error)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED


def _print_error(error: click.ClickException) -> int:
    # click's own errors come before a command has read --json.
    if "--json" in sys.argv[1:]:
        error = error if isinstance(error, CliError) else CliError(error.format_message())
        error.as_json = True
    error.show()
    return error.exit_code
