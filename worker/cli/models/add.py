"""`falhook models add`: fal's description of an endpoint, into the user's own catalogue."""

import json
from collections.abc import Sequence
from pathlib import Path

import click
import httpx

from worker.catalogue.catalogue import Catalogue, sheet_with
from worker.catalogue.endpoint import ENDPOINT, Endpoint
from worker.catalogue.errors import RequestRejected, UnknownEndpoint
from worker.catalogue.examples import Row, rows
from worker.catalogue.inputs import InputType
from worker.catalogue.openapi import description
from worker.catalogue.openapi.inheritance import inherit
from worker.catalogue.openapi.keywords import Form
from worker.cli.console import json_option, print_json
from worker.cli.errors import CliError, handle_errors
from worker.cli.models.added_files import make_room
from worker.cli.models.endpoint_text import summary
from worker.cli.submit.flag_values import file_text
from worker.settings import CatalogueSettings

MAX_BYTES = 4 * 1024 * 1024
TIMEOUT = 20.0


@click.command()
@click.argument("endpoint")
@click.option(
    "--from",
    "source",
    metavar="FILE|URL",
    help="Its OpenAPI description; fal.ai's own where not given.",
)
@json_option
@handle_errors
def add(endpoint: str, source: str | None, as_json: bool) -> None:
    """Add fal's description of ENDPOINT to your own catalogue, the directory FALHOOK_CATALOGUE.

    Workers that are running read it when they start again.
    """
    directory = CatalogueSettings.from_env().catalogue
    if directory is None:
        raise CliError("FALHOOK_CATALOGUE is not set: name a directory for your own endpoints.")
    if ENDPOINT.fullmatch(endpoint) is None:
        raise CliError(f"{endpoint!r} is no endpoint id: write owner/app/….")
    source = source or description.URL.format(endpoint=endpoint)
    described = description.entry(endpoint, _description(source), source=source)
    heir = inherit(described, endpoint, sheet_with(directory), _packaged(endpoint))
    file = make_room(directory, endpoint)
    model = _added(directory, file, heir.entry, endpoint)
    loose = [told for row in rows(model.inputs) if (told := _unchecked(row))]
    loose += [f"all inputs together ({', '.join(model.unchecked)})"] if model.unchecked else []
    if as_json:
        about = {"file": str(file), "unchecked": loose, "kept": heir.kept, "lost": heir.lost}
        print_json({**summary(model), **about})
        return
    click.echo(f"{file}: {endpoint} takes {len(model.inputs)} inputs")
    _tell("Passed on unchecked, their schema says too much", loose)
    _tell("Kept of what the catalogue knew", heir.kept)
    _tell("Lost, since there are no such inputs any more", heir.lost)
    click.echo(f"See it: falhook models show {endpoint}", err=True)


def _packaged(endpoint: str) -> Endpoint | None:
    try:
        return Catalogue.load().find(endpoint)
    except UnknownEndpoint:
        return None


def _unchecked(row: Row) -> str:
    """The input, if any JSON gets through, or with the keywords of its schema that do not count."""
    if InputType.ANY.value in row["type"]:
        return row["input"]
    return f"{row['input']} ({', '.join(row['unchecked'])})" if row["unchecked"] else ""


def _tell(what: str, of: Sequence[str]) -> None:
    if of:
        click.echo(f"{what}: {'; '.join(of)}")


def _added(directory: Path, file: Path, entry: Form, endpoint: str) -> Endpoint:
    """The model as every process will read it; a file that is no good is not left behind."""
    aside = file.with_suffix(".new")
    try:
        aside.write_text(json.dumps(entry, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        before = file.read_bytes() if file.exists() else None
        aside.replace(file)
    except OSError as error:
        raise CliError(f"{file} cannot be written: {error.strerror}.") from None
    try:
        return Catalogue.load(directory).find(endpoint)
    except RequestRejected:
        file.unlink() if before is None else file.write_bytes(before)
        raise


def _description(source: str) -> object:
    web = source.startswith(("https://", "http://"))
    text = _fetched(source) if web else file_text(Path(source), "--from")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise CliError(f"{source} holds no JSON.") from None


def _fetched(url: str) -> str:
    try:
        with httpx.stream("GET", url, timeout=TIMEOUT, follow_redirects=True) as response:
            response.raise_for_status()
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise CliError(f"{url} holds more than {MAX_BYTES:,} bytes.")
    except httpx.HTTPStatusError as error:
        raise CliError(f"{url} answered {error.response.status_code}.") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise CliError(f"{url} cannot be read ({type(error).__name__}); try --from FILE.") from None
    return body.decode("utf-8", errors="replace")
