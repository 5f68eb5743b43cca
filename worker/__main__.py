"""The command line: `falhook`, also `python -m worker`."""

import sys

import click

from worker.cli.cancel import cancel
from worker.cli.check import check
from worker.cli.command import Problem
from worker.cli.models import models
from worker.cli.provenance import provenance
from worker.cli.retry import retry
from worker.cli.settings import settings
from worker.cli.show import list_jobs, show
from worker.cli.submit import submit
from worker.cli.watch import watch


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="falhook")
def cli() -> None:
    """Generative video on fal: submit once, never poll, never pay twice."""


for command in (submit, watch, show, list_jobs, retry, cancel, models, check, settings, provenance):
    cli.add_command(command)


def _tell(error: click.ClickException) -> None:
    # What click itself refuses says nothing of --json but by the flag's standing there.
    if "--json" in sys.argv[1:]:
        error = error if isinstance(error, Problem) else Problem(error.format_message())
        error.as_json = True
    error.show()


def main() -> None:
    """Run the command line; 2 for anything that the caller can put right."""
    try:
        sys.exit(cli.main(standalone_mode=False) or 0)
    except click.ClickException as error:
        _tell(error)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)


if __name__ == "__main__":
    main()
