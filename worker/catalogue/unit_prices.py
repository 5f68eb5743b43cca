"""fal's own list of prices, read by `falhook models refresh`, and its use for estimates.

https://fal.ai/docs/platform-apis/v1/models/pricing : one price for each endpoint, in a unit of
fal's choice. Only seconds can be estimated from arguments; "units" and "compute seconds" say
nothing about what a job costs.
"""

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from worker.catalogue.prices import Price

FILE_NAME = "fal-prices.json"
_SECONDS = frozenset({"second", "seconds", "video second", "video seconds", "video_second"})
_CURRENCY = "USD"


class Use(StrEnum):
    """What a listed price means for the estimates of its endpoint."""

    APPLIED = "applied"
    """It is the rate of the estimate."""
    CONFIRMED = "confirmed"
    """It is one of several rates of the catalogue, which stay."""
    DIFFERENT = "different"
    """It is none of several rates of the catalogue, which stay, as it may replace any of them."""
    UNUSABLE = "unusable"
    """Its unit is not the second, its currency not the dollar, or it is 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitPrice:
    """The price of one unit of an endpoint, as fal listed it on a day."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    unit_price: Annotated[Decimal, Field(ge=0)]
    unit: str
    currency: str
    read_at: date
    source: str

    def use(self, price: Price | None) -> Use:
        """Return what this price means beside the catalogue's; None: it has none."""
        counted = " ".join(self.unit.casefold().split()) in _SECONDS
        if not counted or self.currency != _CURRENCY or not self.unit_price:
            return Use.UNUSABLE
        if price is None or not _variants(price):
            return Use.APPLIED
        rates = {price.per_second, *_variants(price)}
        return Use.CONFIRMED if self.unit_price in rates else Use.DIFFERENT

    def applied(self, price: Price | None) -> Price | None:
        """Return the price for estimates: the catalogue's, this one, or the former confirmed."""
        source = f"{self.source} of {self.read_at}"
        match self.use(price):
            case Use.APPLIED if price is None:
                return Price(per_second=self.unit_price, confidence="medium", source=source)
            case Use.APPLIED:
                assert price is not None
                return replace(
                    price, per_second=self.unit_price, confidence="high", source=source, note=""
                )
            case Use.CONFIRMED:
                assert price is not None
                return replace(price, source=f"{price.source}, confirmed by {source}")
            case Use.DIFFERENT:
                assert price is not None
                return replace(price, note=f"fal lists ${self.unit_price}/s on {self.read_at}")
        return price


def _variants(price: Price) -> list[Decimal]:
    """Return the rates besides `per_second`; with one, a single listed price cannot replace all."""
    rates = [price.silent, price.voice, price.first, *price.resolutions.values()]
    return [rate for rate in rates if rate is not None]
