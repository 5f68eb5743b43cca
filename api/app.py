"""The API as an ASGI application: its routes and its lifespan."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from api.composition import Tools
from api.dispatch import REQUEST_ID, problem_response, request_id_of
from api.problems import ProblemError
from webhook.log import get_logger

log = get_logger()


def create_app(tools: Tools) -> ASGIApp:
    """Return the API."""

    @asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        async with tools.running():
            log.info("api.started")
            yield
        log.info("api.stopped")

    return _Application(Router(_routes(tools), redirect_slashes=False, lifespan=lifespan))


class _Application:
    """The router, whose own errors are problems.

    Starlette's application would add two layers, which catch what `Dispatcher` answers anyway.
    """

    def __init__(self, router: Router) -> None:
        self._router = router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The router raises its errors if it belongs to an application.
        scope["app"] = self
        try:
            await self._router(scope, receive, send)
        except HTTPException as error:
            await _unrouted(Request(scope), error)(scope, receive, send)


def _routes(tools: Tools) -> Sequence[Route]:
    described = [
        Route(operation.path, tools.dispatcher.endpoint(operation), methods=[operation.method])
        for operation in tools.operations
    ]
    return [*described, *tools.pages]


def _unrouted(request: Request, error: HTTPException) -> Response:
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        detail = f"{request.method} is not a method of this resource"
        problem = ProblemError("method_not_allowed", detail, headers=dict(error.headers or {}))
    else:
        problem = ProblemError("not_found", "there is nothing at this address; see /docs")
    request_id = request_id_of(request)
    response = problem_response(problem, request_id)
    response.headers[REQUEST_ID] = request_id
    return response
