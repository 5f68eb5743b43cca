"""`falhook models`: the catalogue of endpoints."""

import json
import shlex

import click
from rich.console import Console
from rich.table import Table

from worker.cli.command import json_option, plainly, print_json
from worker.models import Catalogue, Model, Status, rows


@click.group(invoke_without_command=True)
@click.option("--search", default="", metavar="WORDS", help="Only endpoints with all these words.")
@json_option
@click.pass_context
@plainly
def models(context: click.Context, search: str, as_json: bool) -> None:
    """List the endpoints that jobs can be made of; `models show ENDPOINT` tells one."""
    if context.invoked_subcommand is not None:
        return
    found = Catalogue.load().search(search)
    if as_json:
        for model in found:
            print_json(_summary(model))
        return
    table = Table(box=None, pad_edge=False)
    for name in ("endpoint", "gives", "price", "status"):
        table.add_column(name, overflow="fold")
    for model in found:
        status = "" if model.status is Status.LISTED else model.status
        table.add_row(model.endpoint, ", ".join(model.outputs), model.price_sentence, status)
    Console().print(table)


@models.command()
@click.argument("endpoint")
@json_option
@plainly
def show(endpoint: str, as_json: bool) -> None:
    """Tell what ENDPOINT takes, gives and costs, with a command to try it."""
    model = Catalogue.load().find(endpoint)
    inputs = rows(model.inputs)
    if as_json:
        print_json({**_summary(model), "inputs": inputs, "example": model.example()})
        return
    console = Console()
    console.print(f"[bold]{model.endpoint}[/]  {model.price_sentence}")
    table = Table(box=None, pad_edge=False)
    for name in inputs[0] if inputs else ():
        table.add_column(str(name), overflow="fold")
    for row in inputs:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    console.print(table)
    click.echo(f"\n{_command(model)}")


def _summary(model: Model) -> dict[str, object]:
    return {
        "endpoint": model.endpoint,
        "status": model.status,
        "outputs": dict(model.outputs),
        "price": model.price_sentence,
    }


def _command(model: Model) -> str:
    example = json.dumps(model.example(), ensure_ascii=False)
    return f"falhook submit {model.endpoint} --arguments {shlex.quote(example)}"
