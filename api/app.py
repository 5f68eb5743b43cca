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

    operations = _routes(tools)
    routes = [*operations, *tools.pages]
    app = _Application(Router(routes, redirect_slashes=False, lifespan=lifespan), operations)
    tools.metrics.name(routes)
    return tools.metrics.counted(app)


class _Application:
    """The router, whose own errors are problems.

    Starlette's application would add two layers, which catch what `Dispatcher` answers anyway. It
    tries one route after the other, so that operations without parameters are found here.
    """

    def __init__(self, router: Router, operations: Sequence[Route]) -> None:
        self._router = router
        self._fixed = {
            (method, route.path): route
            for route in operations
            if not route.param_convertors
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fixed = self._fixed.get((scope.get("method", ""), scope.get("path", "")))
        if fixed is not None:
            scope["endpoint"] = fixed.endpoint
            await fixed.app(scope, receive, send)
            return
        # The router raises its errors if it belongs to an application.
        scope["app"] = self
        try:
            await self._router(scope, receive, send)
        except HTTPException as error:
            await _unrouted(Request(scope), error)(scope, receive, send)


def _routes(tools: Tools) -> Sequence[Route]:
    return [
        Route(operation.path, tools.dispatcher.endpoint(operation), methods=[operation.method])
        for operation in tools.operations
    ]


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
