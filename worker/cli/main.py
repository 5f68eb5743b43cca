"""All commands of `falhook`, and how each run of them ends."""

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
from worker.cli.stdout import CLOSED, Unwritable, give_up, guard
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
    """The exit code of the command line: 2 for anything that the caller can put right."""
    guard()
    try:
        code = _code()
        if sys.stdout is not None:  # as Python has it where the descriptor is closed
            sys.stdout.flush()
    except Unwritable as unwritable:
        give_up()
        if unwritable.closed:
            return CLOSED
        return _told(CliError(str(unwritable), reason="output_unwritable"))
    return code


def _code() -> int:
    try:
        return int(cli.main(standalone_mode=False) or 0)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except click.ClickException as error:
        return _told(error)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED


def _told(error: click.ClickException) -> int:
    # What click itself refuses says nothing of --json but by the flag's standing there.
    if "--json" in sys.argv[1:]:
        error = error if isinstance(error, CliError) else CliError(error.format_message())
        error.as_json = True
    error.show()
    return error.exit_code
