"""`falhook provenance`: write a development certificate, read a file's content credentials."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from worker.cli.console import json_option, plain_console, print_json
from worker.cli.errors import CliError, handle_errors

if TYPE_CHECKING:
    from worker.provenance.reader import CredentialsReport

_COLOURS = {"Trusted": "green", "Valid": "yellow", "Invalid": "red"}


@click.group()
def provenance() -> None:
    """Content credentials (C2PA): create a development certificate, read those of a file."""


@provenance.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@json_option
@handle_errors
def cert(directory: Path, as_json: bool) -> None:
    """Write a chain, its key and its root to DIRECTORY, and print the settings that use them."""
    from worker.provenance import ProvenanceUnusable
    from worker.provenance.development_certificate import CHAIN, KEY, ROOT, make_chain

    try:
        files = make_chain(directory)
    except FileExistsError as error:
        raise CliError(f"{error.filename} exists already; name another directory.") from None
    except ProvenanceUnusable as error:
        raise CliError(str(error)) from None
    names = {"CERT": CHAIN, "KEY": KEY, "ANCHORS": ROOT}
    settings = {f"FALHOOK_C2PA_{name}": str(files[file].resolve()) for name, file in names.items()}
    if as_json:
        print_json(settings)
        return
    for name, path in settings.items():
        click.echo(f"{name}={path}")
    click.echo("For development only: nobody else trusts this certificate.", err=True)


@provenance.command("show")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--anchors",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="FALHOOK_C2PA_ANCHORS",
    help="PEM file of roots to trust.",
)
@json_option
@handle_errors
def show_credentials(file: Path, anchors: Path | None, as_json: bool) -> None:
    """Print who signed FILE, what was done, when, and whether it validates.

    Exit code 1 if it does not validate or has no content credentials.
    """
    from worker.provenance import ProvenanceUnusable
    from worker.provenance.reader import show
    from worker.provenance.signer import roots

    try:
        report = show(file, roots(anchors, "--anchors") if anchors else "")
    except (ProvenanceUnusable, ValueError) as error:
        raise CliError(str(error)) from None
    if as_json:
        print_json(asdict(report) if report else None)
    elif report is None:
        click.echo(f"{file} has no content credentials.")
    else:
        _print(report)
    if report is None or report.state == "Invalid":
        raise click.exceptions.Exit(1)


def _print(report: "CredentialsReport") -> None:
    from rich.text import Text

    console = plain_console()
    colour = _COLOURS.get(report.state, "red")
    console.print(Text(str(report.state), style=colour), ", ".join(report.failures))
    for claim in report.claims:
        console.print(f"\n{claim.title or 'untitled'}")
        console.print(f"  signed by  {claim.signer}")
        clock = "time stamp" if claim.stamped else "the signer's own clock"
        when = f"{claim.when} ({clock})" if claim.when else "unknown"
        console.print(f"  when       {when}")
        console.print(f"  with       {claim.program}")
        console.print(f"  actions    {', '.join(claim.actions)}")
        if claim.faults:
            console.print(f"  faults     {', '.join(claim.faults)}")
        if claim.source_type:
            console.print(f"  origin     {claim.source_type}")
