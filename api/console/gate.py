"""From a request to its page: session, origin, form, then the handler, and its errors."""

import asyncio
import hmac
import inspect
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from http import HTTPStatus
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from api.console.cookies import session_token
from api.console.forms import read_form
from api.console.origin import is_ours
from api.console.rendering import Renderer
from api.console.sessions import Session, Sessions
from api.console.visit import Page, Visit
from api.dispatch import REQUEST_ID, rate_limited, request_id_of, unexpected
from api.operation import Rate
from api.problems import ProblemError, as_problem
from api.rate_limits import RateLimits, header_fields
from webhook.log import get_logger

log = get_logger()

# Requests that block at the same time; those of the API have their own threads.
_THREADS = 8
CSRF = "csrf"
# A page that replaces parts of itself, and shows errors in its own way.
PART = "X-Falhook-Part"


class Gate:
    """Answers requests for pages."""

    def __init__(self, *, sessions: Sessions, limits: RateLimits, renderer: Renderer) -> None:
        self.sessions = sessions
        self._limits = limits
        self._renderer = renderer
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="console")

    def route(self, page: Page) -> Route:
        """Return the route of a page."""
        return Route(page.path, _Endpoint(self, page), methods=[page.method])

    async def answer(self, request: Request, page: Page) -> Response:
        """Return the answer to a request, whatever goes wrong."""
        began = time.monotonic()
        visit = Visit(request=request, request_id=request_id_of(request))
        try:
            visit = await self._admitted(visit, page)
            response = await self._handled(visit, page)
        except _SignInFirst:
            response = self._sign_in_first(visit, page)
        except Exception as error:  # noqa: BLE001  # every error has a page; a defect is logged
            problem = as_problem(error) or unexpected(error, visit.request_id)
            response = self._renderer.problem(visit, problem)
        response.headers.setdefault(REQUEST_ID, visit.request_id)
        self._log(visit, page, response, time.monotonic() - began)
        return response

    async def in_thread(self, function: Callable[[], Response]) -> Response:
        """Return the function's result."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function)

    async def session_of(self, request: Request) -> Session | None:
        """Return the request's session; None if it has none."""
        token = session_token(request)
        if not token:
            return None
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self.sessions.find, token)

    async def _admitted(self, visit: Visit, page: Page) -> Visit:
        if page.for_programs:
            return visit
        session = await self.session_of(visit.request)
        visit = replace(visit, session=session)
        if page.method == "POST":
            if not is_ours(visit.request):
                raise ProblemError("scope", "the form was sent from another site; nothing was done")
            visit = replace(visit, form=await read_form(visit.request, page.form_bytes))
        if page.scope is None:
            return visit
        if session is None:
            raise _SignInFirst
        if page.method == "POST" and not _is_proof(visit.form.text(CSRF), session):
            detail = "the form is of an earlier session; nothing was done: load the page again"
            raise ProblemError("scope", detail)
        if not session.may(page.scope):
            detail = f"your key {session.key.name} lacks the scope {page.scope}"
            raise ProblemError("scope", detail)
        return visit

    async def _handled(self, visit: Visit, page: Page) -> Response:
        if page.method == "POST" and visit.session is not None:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._count, visit)
        if inspect.iscoroutinefunction(page.handler):
            response: Response = await page.handler(visit)
            return response
        handler: Callable[[Visit], Response] = page.handler  # type: ignore[assignment]
        return await self.in_thread(lambda: handler(visit))

    def _count(self, visit: Visit) -> None:
        allowance = self._limits.check(visit.signed_in.key.id, Rate.CREATE)
        if not allowance.allowed:
            raise rate_limited(allowance, header_fields(allowance))

    def _sign_in_first(self, visit: Visit, page: Page) -> Response:
        if page.method == "GET" and PART not in visit.request.headers:
            url = visit.request.url
            there = url.path + (f"?{url.query}" if url.query else "")
            address = f"/console/login?{urlencode({'next': there})}"
            return RedirectResponse(address, HTTPStatus.SEE_OTHER)
        return self._renderer.signed_out(visit)

    def _log(self, visit: Visit, page: Page, response: Response, seconds: float) -> None:
        key = visit.session.key if visit.session else None
        fields = {
            "request": visit.request_id,
            "page": page.name,
            "status": response.status_code,
            "ms": round(seconds * 1000, 1),
            "key": key.id if key else None,
            "tenant": key.tenant if key else None,
        }
        if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.warning("console.answered", **fields)
        elif page.method == "POST":
            log.info("console.answered", **fields)
        else:
            log.debug("console.answered", **fields)


class _SignInFirst(Exception):
    """The page needs a session."""


@dataclass(frozen=True, slots=True)
class _Endpoint:
    gate: Gate
    page: Page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self.gate.answer(Request(scope, receive), self.page)
        await response(scope, receive, send)


def _is_proof(given: str, session: Session) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), session.csrf.encode())
