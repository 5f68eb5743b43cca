"""The unit prices that the simulated fal lists for its endpoints.

https://fal.ai/docs/platform-apis/v1/models/pricing
"""

from dataclasses import dataclass, field
from typing import Any

from infra.local.fal import models

MOST_ENDPOINTS = 50
"""The largest number of endpoints in one request."""

_USD_PER_SECOND = 0.28


@dataclass(slots=True, kw_only=True)
class PriceList:
    """The prices by endpoint; `changed` replaces single ones.

    Requests are answered with `status` if that is not 200, and with `text` if that is set.
    """

    changed: dict[str, dict[str, Any]] = field(default_factory=dict)
    status: int = 200
    text: str = ""

    def clear(self) -> None:
        """Restore the prices of the start, and answer requests again."""
        self.changed.clear()
        self.status, self.text = 200, ""

    def price(self, endpoint: str) -> dict[str, Any] | None:
        """Return the row of an endpoint in fal's format; None if there is no such endpoint."""
        if endpoint in self.changed:
            return self.changed[endpoint]
        if models.app_of(endpoint) not in models.KLING_APPS or not models.find_endpoint(endpoint):
            return None
        return price_row(endpoint, _USD_PER_SECOND, "seconds", "USD")


def price_row(endpoint: str, unit_price: float, unit: str, currency: str) -> dict[str, Any]:
    """Return one price in fal's format."""
    return {
        "endpoint_id": endpoint,
        "unit_price": unit_price,
        "unit": unit,
        "currency": currency,
    }
