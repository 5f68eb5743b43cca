"""`falhook models list` and `show`: the catalogue's endpoints, and one of them."""

import json
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import click

from worker.catalogue.catalogue import Catalogue
from worker.catalogue.endpoint import Endpoint, Status
from worker.catalogue.errors import RequestRejected
from worker.catalogue.summary import summary
from worker.cli.completion.endpoints import complete_endpoint
from worker.cli.console import is_terminal, json_option, plain_console, print_json
from worker.cli.errors import CliError, handle_errors
from worker.cli.models.endpoint_text import command, facts
from worker.cli.pager import pager_option, print_paged
from worker.cli.stdout import json_lines_option
from worker.settings.catalogue_directory import read_catalogue_directory
from worker.text import shorten

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

# A narrower terminal gets a line an endpoint, without its inputs.
_TABLE_WIDTH = 120


def _catalogue() -> Catalogue:
    return Catalogue.load(read_catalogue_directory())


@click.command("list")
@click.argument("pattern", nargs=-1)
@click.option("--search", default="", metavar="WORDS", help="The same as PATTERN.")
@pager_option
@json_lines_option
@handle_errors
def list_models(pattern: tuple[str, ...], search: str, *, no_pager: bool, as_json: bool) -> None:
    """List the endpoints whose id contains every word of PATTERN, with inputs and price."""
    words = " ".join([*pattern, search])
    endpoints = _catalogue().search(words)
    if as_json:
        for model in endpoints:
            print_json(summary(model))
        return
    if not endpoints:
        raise CliError(f"No endpoint id contains all of {words.strip()!r}.")
    if is_terminal():
        print_paged(partial(_print_list, endpoints=endpoints), no_pager=no_pager)
        return
    for model in endpoints:
        click.echo("\t".join(_cells(model)))


def _print_list(console: "Console", endpoints: Sequence[Endpoint]) -> None:
    """Print a table, or in a narrow terminal a line an endpoint.

    A price that does not fit on its line is cut, an id never.
    """
    if console.width >= _TABLE_WIDTH:
        console.print(_endpoint_table(endpoints))
        return
    for model in endpoints:
        name, _, price = _cells(model)
        room = console.width - len(name) - 3
        console.print(f"{name}  {shorten(price, room)}" if room > 0 else name, soft_wrap=True)
    console.print("falhook models show ENDPOINT lists inputs and price")


def _endpoint_table(endpoints: Sequence[Endpoint]) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    # A wrapped id cannot be copied.
    table.add_column("endpoint", no_wrap=True)
    table.add_column("inputs (* required)", overflow="fold", ratio=5)
    table.add_column("price (US$)", overflow="fold", ratio=3)
    for model in endpoints:
        table.add_row(*_cells(model))
    return table


def _cells(model: Endpoint) -> tuple[str, str, str]:
    status = model.current_status
    suffix = "" if status is Status.LISTED else f" ({status})"
    inputs = ", ".join(item.name + "*" * item.required for item in model.inputs)
    return f"{model.endpoint}{suffix}", inputs, model.price_sentence


@click.command()
@click.argument("endpoint", shell_complete=complete_endpoint)
@json_option
@handle_errors
def show(endpoint: str, as_json: bool) -> None:
    """Show the inputs, outputs and price of ENDPOINT, with a command to try it."""
    from worker.catalogue.examples import rows

    model = _catalogue().find(endpoint)
    try:
        example, rejection = model.example(), ""
    except RequestRejected as error:
        example, rejection = {}, str(error)
    if as_json:
        price = model.price
        price_about = {"confidence": price.confidence, "source": price.source} if price else {}
        facts_ = {**summary(model), "price_about": price_about, "sources": model.sources}
        print_json({**facts_, "inputs": rows(model.inputs), "example": example})
        return
    _print(model)
    click.echo(f"\n{rejection or command(model)}")


def _print(model: Endpoint) -> None:
    from rich.text import Text

    console = plain_console()
    console.print(Text(model.endpoint, style="bold"), model.request_type)
    for name, text in facts(model).items():
        console.print(Text(f"{name:<6}", style="dim"), text, markup=False, soft_wrap=True)
    console.print()
    console.print(_input_table(model, wide=console.width >= _TABLE_WIDTH))


def _input_table(model: Endpoint, *, wide: bool) -> "Table":
    """Return a row an input; a narrow table leaves out the type, which `allowed` implies."""
    from rich.table import Table

    from worker.catalogue.examples import rows

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("input", no_wrap=True)
    if wide:
        table.add_column("type", overflow="fold", max_width=24)
    table.add_column("default", overflow="fold", max_width=12)
    for name in ("allowed", "description"):
        table.add_column(name, overflow="fold", ratio=1)
    for row in rows(model.inputs):
        default = "" if row["default"] is None else json.dumps(row["default"], ensure_ascii=False)
        name = row["input"] + "*" * row["required"]
        ignored = f"; not validated: {', '.join(row['unchecked'])}" if row["unchecked"] else ""
        type_ = [row["type"]] if wide else []
        table.add_row(name, *type_, default, row["allowed"] + ignored, row["description"])
    return table
