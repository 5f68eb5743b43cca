"""Prices of endpoints, and the cost of a job estimated before fal's bill.

Rates: https://fal.ai/pricing and the model pages; each row of prices.toml names its source.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

# What pydantic reads of Price (files/forms.py); to import it takes longer than to list all.
_CONFIG: Mapping[str, object] = {"extra": "forbid"}


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
    """The estimated cost of a job in US dollars, with its source and how reliable that is.

    With `at_least` it is a lower bound: the rest depends on the input media.
    """

    usd: Decimal
    seconds: int
    rate: str
    confidence: str
    source: str
    at_least: bool = False

    @property
    def sentence(self) -> str:
        """The cost with its calculation, confidence and source."""
        return (
            f"{'at least' if self.at_least else 'about'} ${self.usd} for {self.seconds} s "
            f"({self.rate}; confidence {self.confidence}, from {self.source})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars per second of `basis`.

    The first `first_seconds` cost `first` as a flat fee. Without a soundtrack `silent` replaces
    `per_second`; with chosen voices `voice` does. `resolutions` has the rates of single values of
    the input `resolution`. Of input and output together, fal bills at least `least_outputs` times
    the seconds of the output.
    """

    __pydantic_config__: ClassVar = _CONFIG

    per_second: Decimal
    first: Decimal | None = None
    first_seconds: int = 0
    silent: Decimal | None = None
    voice: Decimal | None = None
    resolutions: Mapping[str, Decimal] = field(default_factory=dict, hash=False)
    basis: Basis = Basis.OUTPUT
    least_outputs: int = 0
    confidence: str
    source: str
    note: str = ""

    def describe(self, soundtracks: frozenset[Soundtrack]) -> str:
        """Return the rate for a table, for an endpoint that can generate these soundtracks."""
        first = f"${self.first} for {self.first_seconds} s, then " if self.first else ""
        variants = {Soundtrack.SILENT: self.silent, Soundtrack.VOICE: self.voice}
        shown = {kind: rate for kind, rate in variants.items() if rate and kind in soundtracks}
        others = "".join(f", ${rate} {_VARIANTS[kind]}" for kind, rate in shown.items())
        others += "".join(f", ${rate} at {name}" for name, rate in self.resolutions.items())
        note = f" ({self.note})" if self.note else ""
        return f"{first}${self.per_second}/s{self._unit}{others}{self._floor}{note}"

    def estimate(
        self, seconds: int, soundtrack: Soundtrack, resolution: str = ""
    ) -> Estimate | None:
        """Return the cost of `seconds` of output; None if only the input media decide it."""
        if self.basis is not Basis.OUTPUT and not self.least_outputs:
            return None
        rate = self.rate(soundtrack, resolution)
        billed = seconds * (self.least_outputs or 1)
        beyond = max(0, billed - self.first_seconds) if self.first else billed
        usd = (self.first or Decimal(0)) + rate * beyond
        return Estimate(
            usd=usd.quantize(Decimal("0.01")) if usd == round(usd, 2) else usd.normalize(),
            seconds=seconds,
            rate=self._rate_sentence(rate, soundtrack, resolution),
            confidence=self.confidence,
            source=self.source,
            at_least=self.basis is not Basis.OUTPUT,
        )

    def rate(self, soundtrack: Soundtrack, resolution: str = "") -> Decimal:
        """Return dollars per second of such a clip; `per_second` if it has no own rate."""
        rates = {Soundtrack.SILENT: self.silent, Soundtrack.VOICE: self.voice}
        return self.resolutions.get(resolution) or rates.get(soundtrack) or self.per_second

    @property
    def _unit(self) -> str:
        return "" if self.basis is Basis.OUTPUT else f" of {self.basis}"

    @property
    def _floor(self) -> str:
        return f", at least {self.least_outputs} times the output" if self.least_outputs else ""

    def _rate_sentence(self, rate: Decimal, soundtrack: Soundtrack, resolution: str) -> str:
        if self.first:
            return f"${self.first} for the first {self.first_seconds} s, then ${rate}/s"
        at = f" at {resolution}" if resolution in self.resolutions else ""
        heard = f", {soundtrack}" if self.silent else ""
        return f"${rate}/s{self._unit}{at}{heard}{self._floor}"
