"""The route of prices in fal's platform API, and the control that changes them.

https://fal.ai/docs/platform-apis/v1/models/pricing : 1 to 50 ids, comma-separated or repeated.
"""

import hmac

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from infra.local.fal.job import new_request_id
from infra.local.fal.prices import MOST_ENDPOINTS, price_row
from infra.local.fal.request_counts import Kind
from infra.local.fal.simulator import simulation_of

_OK = 200


async def _pricing(request: Request) -> Response:
    simulation = simulation_of(request)
    simulation.counts.record(Kind.PRICING)
    if not _authorised(request, simulation.account.key):
        return _error(401, "authorization_error", "Authentication required")
    if simulation.prices.status != _OK:
        return _error(simulation.prices.status, "server_error", "Prices are not available")
    if simulation.prices.text:
        return PlainTextResponse(simulation.prices.text)
    listed = ",".join(request.query_params.getlist("endpoint_id")).split(",")
    endpoints = [endpoint for endpoint in listed if endpoint]
    if not 1 <= len(endpoints) <= MOST_ENDPOINTS:
        message = f"endpoint_id must name 1 to {MOST_ENDPOINTS} endpoints"
        return _error(400, "validation_error", message)
    rows = [simulation.prices.price(endpoint) for endpoint in endpoints]
    unknown = [endpoint for endpoint, row in zip(endpoints, rows, strict=True) if row is None]
    if unknown:
        return _error(404, "not_found", f"Pricing not found for: {', '.join(unknown)}")
    return JSONResponse({"prices": rows, "next_cursor": None, "has_more": False})


def _authorised(request: Request, key: str) -> bool:
    given = request.headers.get("authorization", "").encode()
    return hmac.compare_digest(given, f"Key {key}".encode())


def _error(status: int, kind: str, message: str) -> Response:
    error = {"type": kind, "message": message, "request_id": new_request_id()}
    return JSONResponse({"error": error}, status)


async def set_price(request: Request) -> Response:
    """Price ?endpoint_id=ID at &unit_price=N per &unit= in &currency=; or ?status=, ?text=."""
    query = request.query_params
    prices = simulation_of(request).prices
    if "status" in query:
        prices.status = int(query["status"])
    prices.text = query.get("text", "")
    if endpoint := query.get("endpoint_id"):
        unit, currency = query.get("unit", "seconds"), query.get("currency", "USD")
        price = float(query.get("unit_price", "0"))
        prices.changed[endpoint] = price_row(endpoint, price, unit, currency)
    return JSONResponse({})


ROUTES = [Route("/v1/models/pricing", _pricing, methods=["GET"])]
