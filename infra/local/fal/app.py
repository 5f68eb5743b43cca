"""The application of the simulated fal: its queue, keys, files and controls."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

from infra.local.fal.errors import RenderResult
from infra.local.fal.job import RenderJob, State
from infra.local.fal.mishap_table import help_text
from infra.local.fal.mishaps import HEADER
from infra.local.fal.request_counts import Kind
from infra.local.fal.routes import control, prices, uploads
from infra.local.fal.routes.refusals import error_response, unauthorised
from infra.local.fal.routes.submit import submit
from infra.local.fal.simulator import Simulator, simulation_of

_HELP = f"""A simulated fal.

Request mishaps with the header {HEADER}: name, name=argument
or with a mark anywhere in the input: [[sim: name, name=argument]]

{{mishaps}}

Controls:
{{controls}}
"""


def create_app(simulate: Callable[[], AbstractAsyncContextManager[Simulator]]) -> Starlette:
    """Return the application; it runs the simulation of `simulate` during its lifespan."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> Any:
        async with simulate() as simulation:
            app.state.simulation = simulation
            yield

    request_path = "/{app:path}/requests/{request_id}"
    routes = [
        Route("/", _help),
        Route("/.well-known/jwks.json", _jwks),
        Mount("/_sim", routes=control.ROUTES),
        *prices.ROUTES,
        *uploads.ROUTES,
        Route("/files/{key:path}", _file),
        Route(f"{request_path}/status", _request_route(Kind.STATUS, _status)),
        Route(f"{request_path}/status/stream", _request_route(Kind.STATUS, _status)),
        Route(f"{request_path}/cancel", _request_route(Kind.CANCEL, _cancel), methods=["PUT"]),
        Route(request_path, _request_route(Kind.RESULT, _result)),
        Route("/{owner}/{alias}", submit, methods=["POST"]),
        Route("/{owner}/{alias}/{path:path}", submit, methods=["POST"]),
        Route("/{path:path}", _unknown, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


async def _help(_request: Request) -> Response:
    text = _HELP.format(mishaps=help_text(), controls=control.help_text())
    return PlainTextResponse(text)


async def _unknown(request: Request) -> Response:
    simulation_of(request).counts.record(Kind.OTHER)
    return error_response(404, "Not found")


async def _jwks(request: Request) -> Response:
    simulation = simulation_of(request)
    simulation.counts.record(Kind.JWKS)
    if simulation.jwks_status != 200:  # noqa: PLR2004
        return error_response(simulation.jwks_status, "Keys are not available")
    return JSONResponse(simulation.keys.jwks())


async def _file(request: Request) -> Response:
    return await simulation_of(request).files.serve(request)


_Handler = Callable[[RenderJob, Simulator], Response]


def _request_route(kind: Kind, handler: _Handler) -> Callable[[Request], Awaitable[Response]]:
    """Return a route about one request: it counts, checks the key, and answers 404 if unknown."""

    async def route(request: Request) -> Response:
        simulation = simulation_of(request)
        job = simulation.queue.jobs.get(request.path_params["request_id"])
        known = job if job is not None and job.app == request.path_params["app"] else None
        request_id = known.request_id if known else ""
        simulation.counts.record(
            kind, request_id=request_id, webhook=known.webhook or "" if known else ""
        )
        if refusal := unauthorised(request, simulation):
            return refusal
        if known is None:
            return JSONResponse({"status": "NOT_FOUND"}, 404)
        response = handler(known, simulation)
        response.headers["x-fal-request-id"] = known.request_id
        return response

    return route


def _status(job: RenderJob, simulation: Simulator) -> Response:
    content: dict[str, Any] = job.queue_status(simulation.url)
    match job.state:
        case State.IN_QUEUE:
            return JSONResponse(content | {"queue_position": simulation.queue.position(job)}, 202)
        case State.IN_PROGRESS:
            return JSONResponse(content | {"logs": None}, 202)
    content |= {"logs": None, "metrics": {"inference_time": simulation.queue.renders.seconds}}
    if not job.result.ok:
        content |= {"error": f"Invalid status code: {job.result.status}"}
        if job.result.error_type:
            content |= {"error_type": job.result.error_type}
    return JSONResponse(content)


def _result(job: RenderJob, simulation: Simulator) -> Response:
    if job.state is not State.COMPLETED:
        return error_response(400, "Request is still in progress")
    if "result-404" in job.mishaps or not simulation.queue.stored(job):
        return JSONResponse({"detail": "Not found"}, 404)
    return JSONResponse(job.result.payload, job.result.status, headers=_result_headers(job.result))


def _result_headers(result: RenderResult) -> dict[str, str]:
    if result.ok:
        return {"X-Fal-Billable-Units": "1"}
    return {"X-Fal-Error-Type": result.error_type} if result.error_type else {}


def _cancel(job: RenderJob, simulation: Simulator) -> Response:
    if simulation.queue.cancel(job):
        return JSONResponse({"status": "CANCELLATION_REQUESTED"}, 202)
    return JSONResponse({"status": "ALREADY_COMPLETED"}, 400)
