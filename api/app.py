"""The API as an ASGI application: its routes and its lifespan."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.composition import Tools
from api.dispatch import REQUEST_ID, problem_response, request_id_of
from api.problems import ProblemError
from webhook.log import get_logger

log = get_logger()


def create_app(tools: Tools) -> Starlette:
    """Return the API."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with tools.running():
            log.info("api.started")
            yield
        log.info("api.stopped")

    app = Starlette(
        routes=_routes(tools),
        lifespan=lifespan,
        exception_handlers={HTTPException: _unrouted},
    )
    app.router.redirect_slashes = False
    return app


def _routes(tools: Tools) -> Sequence[Route]:
    return [
        Route(operation.path, tools.dispatcher.endpoint(operation), methods=[operation.method])
        for operation in tools.operations
    ]


async def _unrouted(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        detail = f"{request.method} is not a method of this resource"
        problem = ProblemError("method_not_allowed", detail, headers=dict(error.headers or {}))
    else:
        problem = ProblemError("not_found", "there is nothing at this address; see /docs")
    request_id = request_id_of(request)
    response = problem_response(problem, request_id)
    response.headers[REQUEST_ID] = request_id
    return response
