"""fal's list of unit prices for an account, by its platform API.

https://fal.ai/docs/platform-apis/v1/models/pricing : 1 to 50 endpoints in one request, with a key,
because accounts may have prices of their own. A request that names an unknown endpoint is answered
404 as a whole.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

import httpx

from worker.errors import Permanent, Transient
from worker.fal.errors import retry_after

MOST_ENDPOINTS = 50
MOST_BYTES = 1024 * 1024
_TIMEOUT = httpx.Timeout(20.0)
_DENIED = frozenset({httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN})


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPrice:
    """The price of one unit of an endpoint, as fal lists it; `unit` is fal's word for it."""

    endpoint: str
    unit_price: Decimal
    unit: str
    currency: str


class PricesUnavailable(Transient):
    """fal did not answer, or cannot list prices now."""


class PricesRefused(Permanent):
    """fal does not list prices for this key, or answers in an unknown form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceApi:
    """fal's platform API at `host`, for one key."""

    key: str
    host: str

    @property
    def url(self) -> str:
        """The address of the price list."""
        return f"https://{self.host}/v1/models/pricing"

    def prices(self, endpoints: Sequence[str]) -> list[ListedPrice]:
        """Return the prices of those endpoints that fal lists.

        Raises PricesUnavailable or PricesRefused.
        """
        wanted = set(endpoints)
        with httpx.Client(headers={"Authorization": f"Key {self.key}"}, timeout=_TIMEOUT) as client:
            batches = (
                endpoints[start : start + MOST_ENDPOINTS]
                for start in range(0, len(endpoints), MOST_ENDPOINTS)
            )
            listed = [price for batch in batches for price in self._batch(client, batch)]
        return [price for price in listed if price.endpoint in wanted]

    def _batch(self, client: httpx.Client, endpoints: Sequence[str]) -> Iterator[ListedPrice]:
        """Yield the prices of a batch; of one with unknown endpoints, those of its halves."""
        status, body = self._get(client, endpoints)
        if status != httpx.codes.NOT_FOUND:
            yield from _read(body)
        elif len(endpoints) > 1:
            middle = len(endpoints) // 2
            yield from self._batch(client, endpoints[:middle])
            yield from self._batch(client, endpoints[middle:])

    def _get(self, client: httpx.Client, endpoints: Sequence[str]) -> tuple[int, bytes]:
        parameters = {"endpoint_id": ",".join(endpoints)}
        try:
            with client.stream("GET", self.url, params=parameters) as response:
                body = bytearray()
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > MOST_BYTES:
                        raise _unreadable(f"is larger than {MOST_BYTES:,} bytes")
        except httpx.HTTPError as error:
            sentence = f"{self.host} cannot be reached ({type(error).__name__})"
            raise PricesUnavailable("prices_unavailable", sentence, host=self.host) from error
        self._require_answer(response)
        return response.status_code, bytes(body)

    def _require_answer(self, response: httpx.Response) -> None:
        status = response.status_code
        if response.is_success or status == httpx.codes.NOT_FOUND:
            return
        if status in _DENIED:
            sentence = f"fal answered {status}: FAL_KEY may not read prices"
            raise PricesRefused("prices_refused", sentence)
        if status == httpx.codes.TOO_MANY_REQUESTS or response.is_server_error:
            after = retry_after(response.headers)
            later = "try again later" if after is None else f"try again in {after:.0f} s"
            sentence = f"fal answered {status}: {later}"
            raise PricesUnavailable("prices_unavailable", sentence, after=after)
        raise PricesRefused("prices_refused", f"fal answered {status} to a request for prices")


def _read(body: bytes) -> Iterator[ListedPrice]:
    try:
        # Decimals, because 0.28 as a float is not 0.28 dollars.
        answer = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise _unreadable("is not JSON") from None
    match answer:
        case {"prices": [*rows]}:
            yield from map(_price, rows)
        case _:
            raise _unreadable("has no list of prices")


def _price(row: object) -> ListedPrice:
    match row:
        case {
            "endpoint_id": str(endpoint),
            "unit_price": int() | Decimal() as price,
            "unit": str(unit),
            "currency": str(currency),
        } if not isinstance(price, bool) and Decimal(price).is_finite() and price >= 0:
            return ListedPrice(
                endpoint=endpoint, unit_price=Decimal(price), unit=unit, currency=currency
            )
    raise _unreadable("has a price in an unknown form")


def _unreadable(what: str) -> PricesRefused:
    return PricesRefused("prices_unreadable", f"fal's answer {what}")
