"""`falhook models`: the catalogue of endpoints."""

import json
from collections.abc import Sequence

import click
from rich.table import Table
from rich.text import Text

from worker.catalogue.catalogue import Catalogue
from worker.catalogue.endpoint import Endpoint, Status
from worker.catalogue.errors import RequestRejected
from worker.catalogue.examples import rows
from worker.cli.console import json_option, plain_console, print_json
from worker.cli.errors import CliError, handle_errors
from worker.cli.models.add import add
from worker.cli.models.endpoint_text import command, facts, summary
from worker.cli.stdout import json_lines_option
from worker.settings import CatalogueSettings

# A narrower terminal has no room beside an id: it gets a line for each endpoint, as a pipe does.
_TABLE_COLUMNS = 120


class _Models(click.Group):
    """`models WORDS` is `models list WORDS`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in {*self.commands, "-h", "--help"}:
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Models)
def models() -> None:
    """List the endpoints that jobs can be made of, tell of one, add one of your own.

    \b
    falhook models 2.6 image        lists those with both words in their id
    falhook models show ENDPOINT    tells one's inputs, with a command to paste
    falhook models add ENDPOINT     reads fal's description of any other endpoint
    """


def _catalogue() -> Catalogue:
    return Catalogue.load(CatalogueSettings.from_env().catalogue)


@models.command("list")
@click.argument("pattern", nargs=-1)
@click.option("--search", default="", metavar="WORDS", help="The same as PATTERN.")
@json_lines_option
@handle_errors
def list_models(pattern: tuple[str, ...], search: str, as_json: bool) -> None:
    """List the endpoints whose id holds every word of PATTERN, with inputs and price."""
    words = " ".join([*pattern, search])
    found = _catalogue().search(words)
    if as_json:
        for model in found:
            print_json(summary(model))
        return
    if not found:
        raise CliError(f"No endpoint has all of {words.strip()!r} in its id.")
    console = plain_console()
    if console.is_terminal and console.width >= _TABLE_COLUMNS:
        console.print(_endpoints(found))
        return
    for model in found:
        click.echo("\t".join(_cells(model)))


def _endpoints(found: Sequence[Endpoint]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    # An id that is cut in two cannot be copied.
    table.add_column("endpoint", no_wrap=True)
    table.add_column("inputs (* required)", overflow="fold", ratio=5)
    table.add_column("price (US$)", overflow="fold", ratio=3)
    for model in found:
        table.add_row(*_cells(model))
    return table


def _cells(model: Endpoint) -> tuple[str, str, str]:
    status = "" if model.status is Status.LISTED else f" ({model.status})"
    inputs = ", ".join(item.name + "*" * item.required for item in model.inputs)
    return f"{model.endpoint}{status}", inputs, model.price_sentence


@models.command()
@click.argument("endpoint")
@json_option
@handle_errors
def show(endpoint: str, as_json: bool) -> None:
    """Tell what ENDPOINT takes, gives and costs, with a command to try it."""
    model = _catalogue().find(endpoint)
    try:
        example, refusal = model.example(), ""
    except RequestRejected as refused:
        example, refusal = {}, str(refused)
    if as_json:
        price = model.price
        told = {"confidence": price.confidence, "source": price.source} if price else {}
        about = {**summary(model), "price_about": told, "sources": model.sources}
        print_json({**about, "inputs": rows(model.inputs), "example": example})
        return
    _print(model)
    click.echo(f"\n{refusal or command(model)}")


def _print(model: Endpoint) -> None:
    console = plain_console()
    console.print(Text(model.endpoint, style="bold"), model.request_type)
    for name, text in facts(model).items():
        console.print(Text(f"{name:<6}", style="dim"), text, markup=False, soft_wrap=True)
    console.print()
    console.print(_inputs(model, roomy=console.width >= _TABLE_COLUMNS))


def _inputs(model: Endpoint, *, roomy: bool) -> Table:
    """One row an input; what is allowed tells the type too, which a narrow table leaves out."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("input", no_wrap=True)
    if roomy:
        table.add_column("type", overflow="fold", max_width=24)
    table.add_column("default", overflow="fold", max_width=12)
    for name in ("allowed", "description"):
        table.add_column(name, overflow="fold", ratio=1)
    for row in rows(model.inputs):
        default = "" if row["default"] is None else json.dumps(row["default"], ensure_ascii=False)
        name = row["input"] + "*" * row["required"]
        loose = f"; not checked: {', '.join(row['unchecked'])}" if row["unchecked"] else ""
        kind = [row["type"]] if roomy else []
        table.add_row(name, *kind, default, row["allowed"] + loose, row["description"])
    return table


models.add_command(add)
