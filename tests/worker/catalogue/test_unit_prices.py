"""A price of fal's own list replaces, confirms or contradicts the catalogue's."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from tests.factories.catalogue import KLING
from worker.catalogue.catalogue import Catalogue
from worker.catalogue.errors import BrokenCatalogue
from worker.catalogue.prices import Basis, Price
from worker.catalogue.unit_prices import FILE_NAME, UnitPrice, Use

LISTED = UnitPrice(
    unit_price=Decimal("0.05"),
    unit="seconds",
    currency="USD",
    read_at=date(2026, 11, 29),
    source="https://api.fal.ai/v1/models/pricing",
)
OWN = Price(per_second=Decimal("0.06"), confidence="low", source="a page", note="old")
SEVERAL = replace(OWN, silent=Decimal("0.05"))


@pytest.mark.parametrize(
    ("unit", "currency", "amount", "use"),
    [
        ("seconds", "USD", "0.05", Use.APPLIED),
        ("Second", "USD", "0.05", Use.APPLIED),
        ("video  seconds", "USD", "0.05", Use.APPLIED),
        ("compute seconds", "USD", "0.05", Use.UNUSABLE),
        ("units", "USD", "1", Use.UNUSABLE),
        ("video", "USD", "0.5", Use.UNUSABLE),
        ("seconds", "EUR", "0.05", Use.UNUSABLE),
        ("seconds", "USD", "0", Use.UNUSABLE),
    ],
)
def test_only_dollars_a_second_are_used(unit: str, currency: str, amount: str, use: Use) -> None:
    """Other units say nothing about a job's cost, so the catalogue's price stays."""
    listed = replace(LISTED, unit=unit, currency=currency, unit_price=Decimal(amount))
    assert use is listed.use(OWN)
    assert (listed.applied(OWN) is OWN) == (use is Use.UNUSABLE)


def test_a_listed_price_replaces_a_single_rate() -> None:
    """What it counts stays; source, day and confidence are those of the list."""
    price = LISTED.applied(replace(OWN, basis=Basis.INPUT))
    assert price is not None
    assert (Decimal("0.05"), Basis.INPUT, "high", "") == (
        price.per_second,
        price.basis,
        price.confidence,
        price.note,
    )
    assert "https://api.fal.ai/v1/models/pricing of 2026-11-29" == price.source


def test_a_listed_price_is_the_only_one_where_none_was_known() -> None:
    """Its confidence is medium, because there may be others for some inputs."""
    price = LISTED.applied(None)
    assert price is not None
    assert (Decimal("0.05"), "medium") == (price.per_second, price.confidence)


@pytest.mark.parametrize(
    ("amount", "use", "noted"), [("0.05", Use.CONFIRMED, False), ("0.07", Use.DIFFERENT, True)]
)
def test_several_rates_stay(amount: str, use: Use, noted: bool) -> None:
    """One listed price cannot replace rates by soundtrack; it confirms one or is noted."""
    listed = replace(LISTED, unit_price=Decimal(amount))
    price = listed.applied(SEVERAL)
    assert use is listed.use(SEVERAL)
    assert price is not None
    assert (Decimal("0.06"), Decimal("0.05")) == (price.per_second, price.silent)
    assert noted == ("fal lists $0.07/s on 2026-11-29" in price.note)


def _file(directory: Path, amount: str) -> None:
    row = (
        f'{{"unit_price": "{amount}", "unit": "seconds", "currency": "USD", '
        '"read_at": "2026-11-29", "source": "https://api.example/prices"}'
    )
    endpoint = f"{KLING}/v3/turbo/pro/text-to-video"
    (directory / FILE_NAME).write_text(
        f'{{"fal_prices": {{"{endpoint}": {row}, "no/such": {row}}}}}'
    )


def test_estimates_use_the_file(tmp_path: Path) -> None:
    """An endpoint that is not in the catalogue any more does no harm."""
    _file(tmp_path, "0.20")
    model = Catalogue.load(tmp_path).find(f"{KLING}/v3/turbo/pro/text-to-video")
    expected = (
        "about $1.00 for 5 s ($0.20/s; confidence high, from https://api.example/prices of "
        "2026-11-29)"
    )
    estimate = model.estimate({})
    assert estimate is not None
    assert expected == estimate.sentence


def test_an_invalid_file_is_named(tmp_path: Path) -> None:
    """A negative price is a fault of the file."""
    _file(tmp_path, "-1")
    with pytest.raises(BrokenCatalogue, match=r"fal-prices\.json is invalid at fal_prices"):
        Catalogue.load(tmp_path)
