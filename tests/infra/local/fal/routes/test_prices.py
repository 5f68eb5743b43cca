"""The prices that the simulated fal lists."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.factories.simulated_fal import TEXT_TO_VIDEO, FalOverHttp, fal_running

OTHER = "fal-ai/kling-video/v2.1/master/image-to-video"


@pytest.fixture(scope="module")
def fal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FalOverHttp]:
    with fal_running(tmp_path_factory.getbasetemp() / "prices") as running:
        yield running


def _prices(fal: FalOverHttp, *endpoints: str, **options: Any) -> httpx.Response:
    return fal.http.get("/v1/models/pricing", params={"endpoint_id": list(endpoints)}, **options)


def test_prices_are_listed_for_endpoints(fal: FalOverHttp) -> None:
    """Ids may be repeated or comma-separated; each has a price, a unit and a currency."""
    answers = [_prices(fal, TEXT_TO_VIDEO, OTHER), _prices(fal, f"{TEXT_TO_VIDEO},{OTHER}")]
    rows = [
        {"endpoint_id": endpoint, "unit_price": 0.28, "unit": "seconds", "currency": "USD"}
        for endpoint in (TEXT_TO_VIDEO, OTHER)
    ]
    expected = {"prices": rows, "next_cursor": None, "has_more": False}
    assert [expected, expected] == [answer.json() for answer in answers]


def test_a_price_can_be_changed(fal: FalOverHttp) -> None:
    """The control replaces the row of one endpoint."""
    changed = {"endpoint_id": OTHER, "unit_price": "1.5", "unit": "units", "currency": "EUR"}
    fal.http.post("/_sim/prices", params=changed)
    (row,) = _prices(fal, OTHER).json()["prices"]
    assert changed | {"unit_price": 1.5} == row


def test_requests_for_prices_are_refused_like_fals(fal: FalOverHttp) -> None:
    """A wrong key, an unknown endpoint, no or too many ids and an outage have fal's errors."""
    answers = [
        _prices(fal, OTHER, headers={"Authorization": "Key no:pe"}),
        _prices(fal, "fal-ai/no-such-app/x"),
        _prices(fal),
        _prices(fal, *[OTHER] * 51),
    ]
    fal.http.post("/_sim/prices?status=503")
    answers.append(_prices(fal, OTHER))
    fal.http.post("/_sim/prices?status=200")
    types = ["authorization_error", "not_found", *["validation_error"] * 2, "server_error"]
    assert [401, 404, 400, 400, 503] == [answer.status_code for answer in answers]
    assert types == [answer.json()["error"]["type"] for answer in answers]
