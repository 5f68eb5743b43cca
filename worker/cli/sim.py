"""`falhook sim`: the simulated fal, for the development of any application that uses fal."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import click

from worker.cli.errors import CliError, handle_errors

MODULE = "infra.local.fal"
# Beside this package, in a checkout and in an installed wheel.
ROOT = Path(__file__).resolve().parents[2]


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    add_help_option=False,
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@handle_errors
def sim(options: tuple[str, ...]) -> None:
    """Run a simulated fal until Ctrl-C; `falhook sim --help` lists its OPTIONS."""
    if not (ROOT / Path(*MODULE.split(".")) / "__main__.py").is_file():
        raise CliError(f"{ROOT} has no {MODULE}; run `falhook sim` from a checkout of falhook.")
    if find_spec("trustme") is None:
        raise CliError("falhook sim needs trustme: pip install 'falhook[local]'.")
    # It imports nothing of this program. -P: an `infra` of the current directory is another one.
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-P", "-m", MODULE, *options], environ)  # noqa: S606
