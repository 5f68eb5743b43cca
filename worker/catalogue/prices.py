"""Prices of endpoints, and the cost of a job estimated before fal's bill.

Rates: https://fal.ai/pricing and the model pages; each row of prices.toml names its source.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

from pydantic import ConfigDict


class Basis(StrEnum):
    """The media whose seconds a price counts."""

    OUTPUT = "output"
    INPUT = "input"
    BOTH = "input and output"


class Soundtrack(StrEnum):
    """The soundtracks for which fal has different rates."""

    SILENT = "silent"
    AUDIO = "audio"
    VOICE = "voice"


_VARIANTS = {Soundtrack.SILENT: "silent", Soundtrack.VOICE: "with voices"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The estimated cost of a job in US dollars, with its source and how reliable that is."""

    usd: Decimal
    seconds: int
    rate: str
    confidence: str
    source: str

    @property
    def sentence(self) -> str:
        """The cost with its calculation, confidence and source."""
        return (
            f"about ${self.usd} for {self.seconds} s ({self.rate}; "
            f"confidence {self.confidence}, from {self.source})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars per second of `basis`.

    The first `first_seconds` cost `first` as a flat fee. Without a soundtrack `silent` replaces
    `per_second`; with chosen voices `voice` does.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    per_second: Decimal
    first: Decimal | None = None
    first_seconds: int = 0
    silent: Decimal | None = None
    voice: Decimal | None = None
    basis: Basis = Basis.OUTPUT
    confidence: str
    source: str
    note: str = ""

    def describe(self, soundtracks: frozenset[Soundtrack]) -> str:
        """Return the rate for a table, for an endpoint that can generate these soundtracks."""
        first = f"${self.first} for {self.first_seconds} s, then " if self.first else ""
        unit = "" if self.basis is Basis.OUTPUT else f" of {self.basis}"
        variants = {Soundtrack.SILENT: self.silent, Soundtrack.VOICE: self.voice}
        shown = {kind: rate for kind, rate in variants.items() if rate and kind in soundtracks}
        others = "".join(f", ${rate} {_VARIANTS[kind]}" for kind, rate in shown.items())
        note = f" ({self.note})" if self.note else ""
        return f"{first}${self.per_second}/s{unit}{others}{note}"

    def estimate(self, seconds: int, soundtrack: Soundtrack) -> Estimate:
        """Return the cost of `seconds` of output with this soundtrack."""
        rate = self.rate(soundtrack)
        beyond = max(0, seconds - self.first_seconds) if self.first else seconds
        usd = (self.first or Decimal(0)) + rate * beyond
        return Estimate(
            usd=usd.quantize(Decimal("0.01")) if usd == round(usd, 2) else usd.normalize(),
            seconds=seconds,
            rate=self._rate_sentence(rate, soundtrack),
            confidence=self.confidence,
            source=self.source,
        )

    def rate(self, soundtrack: Soundtrack) -> Decimal:
        """Return dollars per second with this soundtrack; `per_second` if it has no own rate."""
        rates = {Soundtrack.SILENT: self.silent, Soundtrack.VOICE: self.voice}
        return rates.get(soundtrack) or self.per_second

    def _rate_sentence(self, rate: Decimal, soundtrack: Soundtrack) -> str:
        if self.first:
            return f"${self.first} for the first {self.first_seconds} s, then ${rate}/s"
        return f"${rate}/s" + (f", {soundtrack}" if self.silent else "")
