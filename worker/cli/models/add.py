"""`falhook models add`: write fal's description of an endpoint to the user's own catalogue."""

import json
from collections.abc import Sequence
from pathlib import Path

import click
import httpx

from worker.catalogue.catalogue import Catalogue, tables_with
from worker.catalogue.endpoint import ENDPOINT, Endpoint
from worker.catalogue.errors import RequestRejected, UnknownEndpoint
from worker.catalogue.examples import Row, rows
from worker.catalogue.openapi import description
from worker.catalogue.openapi.inheritance import inherit
from worker.catalogue.openapi.keywords import Form
from worker.catalogue.summary import summary
from worker.cli.console import print_json
from worker.cli.errors import CliError
from worker.cli.models.added_files import claim_file
from worker.cli.submit.flag_values import file_text
from worker.settings.catalogue_directory import read_catalogue_directory

MAX_BYTES = 4 * 1024 * 1024
TIMEOUT = 20.0


def add_endpoint(endpoint: str, source: str | None, *, as_json: bool) -> None:
    """Write the description of the endpoint; print its file, and what of it is not validated."""
    directory = read_catalogue_directory()
    if directory is None:
        raise CliError(
            "FALHOOK_CATALOGUE is not set; set it to a directory for your own endpoints."
        )
    if ENDPOINT.fullmatch(endpoint) is None:
        raise CliError(f"{endpoint!r} is not an endpoint id: write owner/app/….")
    source = source or description.URL.format(endpoint=endpoint)
    described = description.entry(endpoint, _description(source), source=source)
    merged = inherit(described, endpoint, tables_with(directory), _packaged(endpoint))
    file = claim_file(directory, endpoint)
    model = _write(directory, file, merged.entry, endpoint)
    unchecked = [text for row in rows(model.inputs) if (text := _unchecked(row))]
    if as_json:
        lists = {"unchecked": unchecked, "kept": merged.kept, "lost": merged.lost}
        print_json({**summary(model), "file": str(file), **lists})
        return
    click.echo(f"{file}: {endpoint} has {len(model.inputs)} inputs")
    _print_list("Not validated", unchecked)
    _print_list("Kept from the catalogue", merged.kept)
    _print_list("Removed (the endpoint no longer has these inputs)", merged.lost)
    click.echo(f"See it: falhook models show {endpoint}", err=True)


def _packaged(endpoint: str) -> Endpoint | None:
    try:
        return Catalogue.load().find(endpoint)
    except UnknownEndpoint:
        return None


def _unchecked(row: Row) -> str:
    """Return the input with the keywords of its schema that are not validated; "" if none."""
    return f"{row['input']} ({', '.join(row['unchecked'])})" if row["unchecked"] else ""


def _print_list(heading: str, entries: Sequence[str]) -> None:
    if entries:
        click.echo(f"{heading}: {'; '.join(entries)}")


def _write(directory: Path, file: Path, entry: Form, endpoint: str) -> Endpoint:
    """Write the file and return the endpoint as processes will read it; undo an invalid file."""
    new = file.with_suffix(".new")
    try:
        new.write_text(json.dumps(entry, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        previous = file.read_bytes() if file.exists() else None
        new.replace(file)
    except OSError as error:
        raise CliError(f"{file} cannot be written: {error.strerror}.") from None
    try:
        return Catalogue.load(directory).find(endpoint)
    except RequestRejected:
        file.unlink() if previous is None else file.write_bytes(previous)
        raise


def _description(source: str) -> object:
    is_url = source.startswith(("https://", "http://"))
    text = _fetch(source) if is_url else file_text(Path(source), "--from")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise CliError(f"{source} is not valid JSON.") from None


def _fetch(url: str) -> str:
    try:
        with httpx.stream("GET", url, timeout=TIMEOUT, follow_redirects=True) as response:
            response.raise_for_status()
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise CliError(f"{url} is larger than {MAX_BYTES:,} bytes.")
    except httpx.HTTPStatusError as error:
        raise CliError(f"{url} answered {error.response.status_code}.") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise CliError(f"{url} cannot be read ({type(error).__name__}); try --from FILE.") from None
    return body.decode("utf-8", errors="replace")
