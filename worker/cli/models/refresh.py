"""`falhook models refresh`: fal's prices for your account, into the user's own catalogue."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import click

from worker.catalogue.catalogue import Catalogue, tables_with
from worker.catalogue.endpoint import Status
from worker.catalogue.files.forms import CatalogueFile
from worker.catalogue.unit_prices import FILE_NAME, UnitPrice, Use
from worker.cli.console import print_json
from worker.cli.errors import CliError
from worker.fal.prices import ListedPrice, PriceApi, PricesRefused, PricesUnavailable
from worker.settings.fal import PriceSettings

_SHOWN = 20
_HEADINGS = {
    Use.DIFFERENT: "Different from all rates of the catalogue, which stay in use",
    Use.UNUSABLE: "Not used (only dollars a second can be estimated)",
}


def refresh_prices(*, as_json: bool) -> None:
    """Write fal's prices into the user's own catalogue; print how the estimates use them."""
    settings = PriceSettings.from_env()
    directory = settings.catalogue
    if directory is None:
        raise CliError("FALHOOK_CATALOGUE is not set; set it to a directory for fal's prices.")
    tables = tables_with(directory)
    api = PriceApi(key=settings.fal_key.get_secret_value(), host=settings.fal_api_host)
    endpoints = _served(directory)
    try:
        listed = api.prices(endpoints)
    except (PricesUnavailable, PricesRefused) as failure:
        sentence = f"{failure.sentence}. The prices stay as they are."
        raise CliError(sentence, reason=failure.reason) from None
    today = datetime.now(UTC).date()
    file = directory / FILE_NAME
    _write(file, {price.endpoint: _row(price, api.url, today) for price in listed})
    uses = _uses(listed, tables, api.url, today)
    missing = sorted(set(endpoints) - {price.endpoint for price in listed})
    if as_json:
        rows = {use.value: [_json(price) for price in prices] for use, prices in uses.items()}
        about = {"file": str(file), "read_at": today.isoformat(), "source": api.url}
        print_json({**about, **rows, "not_listed": missing})
        return
    click.echo(f"{file}: {len(listed)} prices of {today} from {api.url}")
    click.echo(f"{len(uses[Use.APPLIED])} used for estimates, {len(uses[Use.CONFIRMED])} confirmed")
    for use, heading in _HEADINGS.items():
        _print_list(heading, [_text(price) for price in uses[use]])
    _print_list("Not listed by fal", missing)


def _served(directory: Path) -> list[str]:
    models = Catalogue.load(directory).search()
    return [model.endpoint for model in models if model.current_status is not Status.WITHDRAWN]


def _row(price: ListedPrice, source: str, today: date) -> dict[str, object]:
    return {
        "unit_price": str(price.unit_price),
        "unit": price.unit,
        "currency": price.currency,
        "read_at": today.isoformat(),
        "source": source,
    }


def _uses(
    listed: Sequence[ListedPrice], tables: CatalogueFile, source: str, today: date
) -> Mapping[Use, list[ListedPrice]]:
    uses: defaultdict[Use, list[ListedPrice]] = defaultdict(list, {use: [] for use in Use})
    for price in listed:
        own = tables.prices.get(tables.models[price.endpoint].price)
        unit_price = UnitPrice(
            unit_price=price.unit_price,
            unit=price.unit,
            currency=price.currency,
            read_at=today,
            source=source,
        )
        uses[unit_price.use(own)].append(price)
    return uses


def _write(file: Path, rows: Mapping[str, object]) -> None:
    new = file.with_suffix(".new")
    try:
        new.write_text(json.dumps({"fal_prices": rows}, indent=1) + "\n", encoding="utf-8")
        new.replace(file)
    except OSError as error:
        raise CliError(f"{file} cannot be written: {error.strerror}.") from None


def _json(price: ListedPrice) -> dict[str, str]:
    return {
        "endpoint": price.endpoint,
        "unit_price": str(price.unit_price),
        "unit": price.unit,
        "currency": price.currency,
    }


def _text(price: ListedPrice) -> str:
    return f"{price.endpoint} {price.unit_price} {price.currency} per {price.unit}"


def _print_list(heading: str, entries: Sequence[str]) -> None:
    if entries:
        beyond = len(entries) - _SHOWN
        more = f"; and {beyond} more, which --json lists" if beyond > 0 else ""
        click.echo(f"{heading}: {'; '.join(entries[:_SHOWN])}{more}")
