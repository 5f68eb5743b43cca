"""All commands of `falhook`, and the exit code of each run."""

import os
import sys

import click

from worker.cli.errors import CliError
from worker.cli.interrupts import INTERRUPTED
from worker.cli.lazy_group import Lazy, LazyGroup
from worker.cli.stdout import CLOSED, Unwritable, discard, guard
from worker.version import VERSION

# The variable in which the script of `falhook completion` names the shell.
COMPLETE = "_FALHOOK_COMPLETE"
COMMANDS = {
    "cancel": Lazy("worker.cli.cancel", "cancel", "Cancel jobs that are not rendered yet."),
    "check": Lazy("worker.cli.check.flags", "check", "Check what jobs need, and name the cures."),
    "completion": Lazy("worker.cli.completion.command", "completion", "Install Tab completion."),
    "deliveries": Lazy(
        "worker.cli.deliveries.group", "deliveries", "What receivers of webhooks were told."
    ),
    "endpoints": Lazy(
        "worker.cli.endpoints.group", "endpoints", "Receivers of webhooks: add, list, test them."
    ),
    "keys": Lazy("worker.cli.keys.group", "keys", "Make, list and revoke keys of the HTTP API."),
    "list": Lazy("worker.cli.list_jobs", "list_jobs", "List the newest jobs."),
    "metrics": Lazy("worker.cli.metrics", "metrics", "Serve metrics for Prometheus."),
    "migrate": Lazy("worker.cli.migrate", "migrate", "Move the records of version 0.1."),
    "models": Lazy("worker.cli.models.group", "models", "List, show and add endpoints."),
    "orphans": Lazy("worker.cli.orphans", "orphans", "Results of fal without a job record."),
    "provenance": Lazy("worker.cli.provenance", "provenance", "Content credentials (C2PA)."),
    "retry": Lazy("worker.cli.retry", "retry", "Continue jobs that ended without a publication."),
    "settings": Lazy("worker.cli.settings", "settings", "List every setting."),
    "show": Lazy("worker.cli.show", "show", "Show a job: its state, files and history."),
    "sim": Lazy("worker.cli.sim", "sim", "Run a simulated fal, for any application."),
    "stats": Lazy("worker.cli.stats.command", "stats", "The state of the system, also live."),
    "submit": Lazy("worker.cli.submit.command", "submit", "Create a job, or those of a file."),
    "watch": Lazy("worker.cli.watch", "watch", "Follow jobs until all have ended."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="falhook")
def cli() -> None:
    """Generative video on fal: submit once, never poll, never pay twice."""


def run() -> int:
    """Run the command line and return its exit code; 2 is an error that the caller can correct."""
    guard()
    # Looking for plugins of pydantic would read the metadata of every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
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
    if COMPLETE in os.environ:
        from worker.cli.completion.bash import register

        register()
    try:
        return int(cli.main(standalone_mode=False, complete_var=COMPLETE) or 0)
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
