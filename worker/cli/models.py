"""`falhook models`: the catalogue of endpoints."""

import json
import shlex
from pathlib import Path

import click
import httpx
from rich.table import Table
from rich.text import Text

from worker.catalogue import openapi
from worker.cli.command import Problem, json_option, plainly, print_json
from worker.cli.inputs import file_text
from worker.cli.screen import plain_console
from worker.models import Catalogue, Kind, Model, Refusal, Status, rows
from worker.order import ENDPOINT
from worker.settings import Lookup

MAX_BYTES = 4 * 1024 * 1024
TIMEOUT = 20.0
_TEXTUAL = frozenset({Kind.TEXT, Kind.STRING, Kind.URL, Kind.SECONDS})


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
    return Catalogue.load(Lookup.from_env().catalogue)


@models.command("list")
@click.argument("pattern", nargs=-1)
@click.option("--search", default="", metavar="WORDS", help="The same as PATTERN.")
@json_option
@plainly
def list_models(pattern: tuple[str, ...], search: str, as_json: bool) -> None:
    """List the endpoints whose id holds every word of PATTERN, with inputs and price."""
    words = " ".join([*pattern, search])
    found = _catalogue().search(words)
    if as_json:
        for model in found:
            print_json(_summary(model))
        return
    if not found:
        raise Problem(f"No endpoint has all of {words.strip()!r} in its id.")
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("endpoint", overflow="fold", ratio=4)
    table.add_column("inputs (* required)", overflow="fold", ratio=5)
    table.add_column("price (US$)", overflow="fold", ratio=3)
    for model in found:
        status = "" if model.status is Status.LISTED else f" ({model.status})"
        inputs = ", ".join(item.name + "*" * item.required for item in model.inputs)
        table.add_row(f"{model.endpoint}{status}", inputs, model.price_sentence)
    plain_console().print(table)


@models.command()
@click.argument("endpoint")
@json_option
@plainly
def show(endpoint: str, as_json: bool) -> None:
    """Tell what ENDPOINT takes, gives and costs, with a command to try it."""
    model = _catalogue().find(endpoint)
    inputs = rows(model.inputs)
    try:
        example, refusal = model.example(), ""
    except Refusal as refused:
        example, refusal = {}, str(refused)
    if as_json:
        price = model.price
        told = {"confidence": price.confidence, "source": price.source} if price else {}
        summary = {**_summary(model), "price_about": told, "sources": model.sources}
        print_json({**summary, "inputs": inputs, "example": example})
        return
    console = plain_console()
    console.print(Text(model.endpoint, style="bold"), model.request_type)
    for name, text in _facts(model).items():
        console.print(Text(f"{name:<6}", style="dim"), text, markup=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("input", "type", "default", "allowed", "description"):
        table.add_column(name, overflow="fold")
    for row in inputs:
        default = "" if row["default"] is None else json.dumps(row["default"], ensure_ascii=False)
        name = row["input"] + "*" * row["required"]
        table.add_row(name, row["type"], default, row["allowed"], row["description"])
    console.print()
    console.print(table)
    click.echo(f"\n{refusal or command(model)}")


def _facts(model: Model) -> dict[str, str]:
    price = model.price
    about = f" (confidence {price.confidence}, from {price.source})" if price else ""
    gives = ", ".join(f"{name} ({kind})" for name, kind in model.outputs.items())
    return {"gives": gives, "costs": f"{model.price_sentence}{about}", "status": model.status}


def _summary(model: Model) -> dict[str, object]:
    return {
        "endpoint": model.endpoint,
        "status": model.status,
        "required": [item.name for item in model.inputs if item.required],
        "optional": [item.name for item in model.inputs if not item.required],
        "outputs": dict(model.outputs),
        "price": model.price_sentence,
    }


def command(model: Model) -> str:
    """A command line that makes a job of the model's example."""
    kinds = {item.name: item.kind for item in model.inputs if not item.many}
    words = ["falhook", "submit", model.endpoint]
    for name, value in model.example().items():
        plain = isinstance(value, str) and kinds.get(name) in _TEXTUAL
        words.append(f"{name}={value if plain else json.dumps(value, ensure_ascii=False)}")
    return shlex.join(words)


@models.command()
@click.argument("endpoint")
@click.option(
    "--from",
    "source",
    metavar="FILE|URL",
    help="Its OpenAPI description; fal.ai's own where not given.",
)
@json_option
@plainly
def add(endpoint: str, source: str | None, as_json: bool) -> None:
    """Add fal's description of ENDPOINT to your own catalogue, the directory FALHOOK_CATALOGUE.

    Workers that are running read it when they start again.
    """
    directory = Lookup.from_env().catalogue
    if directory is None:
        raise Problem("FALHOOK_CATALOGUE is not set: name a directory for your own endpoints.")
    if ENDPOINT.fullmatch(endpoint) is None:
        raise Problem(f"{endpoint!r} is no endpoint id: write owner/app/….")
    source = source or openapi.URL.format(endpoint=endpoint)
    entry = openapi.entry(endpoint, _description(source), source=source)
    file = directory / f"{endpoint.replace('/', '--')}.json"
    model = _added(directory, file, entry, endpoint)
    loose = [row["input"] for row in rows(model.inputs) if Kind.ANY.value in row["type"]]
    if as_json:
        print_json({**_summary(model), "file": str(file), "unchecked": loose})
        return
    click.echo(f"{file}: {endpoint} takes {len(model.inputs)} inputs")
    if loose:
        click.echo(f"Passed on unchecked, their schema says too much: {', '.join(loose)}")
    click.echo(f"See it: falhook models show {endpoint}", err=True)


def _added(directory: Path, file: Path, entry: openapi.Form, endpoint: str) -> Model:
    """The model as every process will read it; a file that is no good is not left behind."""
    aside = file.with_suffix(".new")
    try:
        aside.write_text(json.dumps(entry, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        before = file.read_bytes() if file.exists() else None
        aside.replace(file)
    except OSError as error:
        raise Problem(f"{file} cannot be written: {error.strerror}.") from None
    try:
        return Catalogue.load(directory).find(endpoint)
    except Refusal:
        file.unlink() if before is None else file.write_bytes(before)
        raise


def _description(source: str) -> object:
    web = source.startswith(("https://", "http://"))
    text = _fetched(source) if web else file_text(Path(source), "--from")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise Problem(f"{source} holds no JSON.") from None


def _fetched(url: str) -> str:
    try:
        with httpx.stream("GET", url, timeout=TIMEOUT, follow_redirects=True) as response:
            response.raise_for_status()
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise Problem(f"{url} holds more than {MAX_BYTES:,} bytes.")
    except httpx.HTTPStatusError as error:
        raise Problem(f"{url} answered {error.response.status_code}.") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Problem(f"{url} cannot be read ({type(error).__name__}); try --from FILE.") from None
    return body.decode("utf-8", errors="replace")
