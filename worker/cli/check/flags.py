"""The flags of `falhook check`."""

import click

from worker.cli.console import json_option
from worker.cli.errors import handle_errors


@click.command()
@json_option
@handle_errors
def check(as_json: bool) -> None:
    """Check what jobs need: each kind of process, Redis, clocks, disks, secrets and fal's key.

    fal gets one request, which is free.

    Exit code 1 if a part fails; a warning does not count as a failure.
    """
    from worker.cli.check.command import run_check

    run_check(as_json=as_json)
