"""A request for a page: who sends it, and the fields of its form."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from api.console.forms import Form
from api.console.sessions import Session
from worker.api_keys.scopes import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request that may be answered: its session was checked, and its form is ours.

    `session` is None on a page for those who are not signed in.
    """

    request: Request
    request_id: str
    session: Session | None = None
    form: Form = field(default_factory=Form)

    @property
    def signed_in(self) -> Session:
        """The session of a page that needs one."""
        assert self.session is not None, "a public page acts for nobody"
        return self.session

    @property
    def tenant(self) -> str:
        """The tenant whose jobs are shown."""
        return self.signed_in.key.tenant

    @property
    def by(self) -> str:
        """Who acts, for the history of a job."""
        return f"{self.signed_in.key.name} in the console"

    @property
    def query(self) -> Mapping[str, str]:
        """The parameters of the address; of one that was sent twice the last."""
        return self.request.query_params


# A function that is not a coroutine runs in a thread, and may block.
Handler: TypeAlias = Callable[[Visit], Response] | Callable[[Visit], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A method of an address of the console; `scope` is None for a page without a session.

    `name` is for the log. `form_bytes` bounds the body of a POST. One for programs has no form,
    and its handler asks for a key.
    """

    method: str
    path: str
    name: str
    handler: Handler
    scope: Scope | None = Scope.READ
    form_bytes: int = 64 * 1024
    for_programs: bool = False
