"""Renders the templates; every value is escaped, whatever it holds."""

from collections.abc import Callable, Mapping
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import Response

from api.console import wording
from api.console.policy import page_headers, storage_origin
from api.console.static_files import address
from api.console.visit import Visit
from api.problems import ProblemError
from worker.api_keys.scopes import Scope
from worker.storage import Storage

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"
# The problem of a Redis or another part that is away: the page tries again.
_AGAIN_AFTER = 5


class Renderer:
    """Renders pages; `storage` opens the storage when it is first needed."""

    def __init__(self, storage: Callable[[], Storage], clock: Callable[[], float]) -> None:
        self._storage = storage
        self._clock = clock

    def page(self, visit: Visit, template: str, *, status: int = 200, **values: object) -> Response:
        """Return a page."""
        values = {"visit": visit, "session": visit.session, "now": self._clock(), **values}
        text = self._environment.get_template(template).render(values)
        # A stored text may contain a lone surrogate, which no page can.
        body = text.encode(errors="replace")
        return Response(body, status, dict(self._headers), "text/html")

    def problem(self, visit: Visit, problem: ProblemError) -> Response:
        """Return the page of an error."""
        away = problem.kind.status == HTTPStatus.SERVICE_UNAVAILABLE
        response = self.page(
            visit,
            "problem.html",
            status=problem.kind.status,
            problem=problem,
            again=_AGAIN_AFTER if away and visit.request.method == "GET" else 0,
        )
        response.headers.update(problem.headers)
        return response

    def signed_out(self, visit: Visit) -> Response:
        """Return the page of a session that has ended; nothing was done."""
        there = visit.request.url.path
        notice = "Your session has ended, and nothing was done. Sign in and repeat it."
        back = there.rpartition("/")[0] if visit.request.method == "POST" else there
        return self.page(visit, "login.html", status=401, notice=notice, next=back)

    @cached_property
    def _headers(self) -> Mapping[str, str]:
        return page_headers(storage_origin(self._storage))

    @cached_property
    def _environment(self) -> "Environment":
        # Imported for the first page: the API starts without it.
        from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

        environment = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters.update(wording.FILTERS)
        environment.globals.update(static=address, Scope=Scope, states=wording.STATES)
        return environment
