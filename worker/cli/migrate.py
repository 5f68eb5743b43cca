"""`falhook migrate`: moves what an earlier version stored in Redis to where this one reads it."""

import sys

import click

from worker.cli.console import json_option, print_json
from worker.cli.errors import handle_errors


@click.command()
@json_option
@handle_errors
def migrate(as_json: bool) -> None:
    """Move the records of version 0.1 into the shards of this one.

    Workers may run meanwhile: they move what they read, and their sweep moves the rest. Stop the
    workers and receivers of version 0.1 first. The command may be interrupted and run again.
    """
    from worker.cli.connections import open_store

    earlier = open_store().earlier
    moved = 0
    with click.progressbar(
        earlier.move_all(), length=earlier.count(), label="Moving", file=sys.stderr
    ) as job_ids:
        for _ in job_ids:
            moved += 1
    left = earlier.count()
    if as_json:
        print_json({"moved": moved, "left": left})
    else:
        click.echo(f"Moved {moved:,} jobs." if moved else "Nothing to move.")
    if left:
        click.echo(
            f"{left:,} jobs have a record in both layouts, and were left. Compare falhook:job:ID "
            "with the record of `falhook show ID`, and delete one of them.",
            err=True,
        )
        raise SystemExit(1)
