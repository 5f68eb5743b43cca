"""Signing in with an API key, or with a link of the local stack, and out again."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from starlette.responses import RedirectResponse, Response

from api.console.cookies import session_token, set_session
from api.console.origin import is_on_this_machine
from api.console.rendering import Renderer
from api.console.sessions import Sessions
from api.console.visit import Page, Visit
from api.problems import ProblemError
from worker.api_keys.api_key import ApiKey
from worker.api_keys.scopes import Scope, allows
from worker.api_keys.store import ApiKeys

HOME = "/console"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """The handlers of signing in and out."""

    keys: ApiKeys
    sessions: Sessions
    renderer: Renderer

    def ask(self, visit: Visit) -> Response:
        """Answer GET /console/login."""
        there = _inside(visit.query.get("next", ""))
        if visit.session is not None:
            return RedirectResponse(there, HTTPStatus.SEE_OTHER)
        return self.renderer.page(visit, "login.html", notice="", next=there)

    def sign_in(self, visit: Visit) -> Response:
        """Answer POST /console/login."""
        there = _inside(visit.form.text("next"))
        key = self.keys.find(visit.form.text("key"))
        if key is None:
            notice = "This key is unknown, revoked, expired or mistyped."
        elif not allows(key.scopes, Scope.READ):
            notice = (
                f"This key lacks the scope {Scope.READ}, without which there is nothing to see."
            )
        else:
            return self._opened(visit, key, there)
        return self.renderer.page(visit, "login.html", status=401, notice=notice, next=there)

    def follow(self, visit: Visit) -> Response:
        """Answer GET /console/enter: a link that signs in once, on the machine of this process."""
        key = None
        if is_on_this_machine(visit.request):
            key = self.sessions.use_link(visit.query.get("code", ""))
        if key is None:
            notice = "This link was used before, or is too old. Sign in with your API key."
            return self.renderer.page(visit, "login.html", status=401, notice=notice, next=HOME)
        return self._opened(visit, key, HOME)

    def sign_out(self, visit: Visit) -> Response:
        """Answer POST /console/logout."""
        self.sessions.close(session_token(visit.request))
        response = RedirectResponse("/console/login", HTTPStatus.SEE_OTHER)
        set_session(response, visit.request, "")
        return response

    def link(self, visit: Visit) -> Response:
        """Answer POST /console/links: the address of a link for the key of the request."""
        scheme, _, token = visit.request.headers.get("authorization", "").partition(" ")
        key = self.keys.find(token.strip()) if scheme.lower() == "bearer" else None
        if key is None or not is_on_this_machine(visit.request):
            raise ProblemError("unauthenticated", "send a valid API key from the same machine")
        return Response(f"/console/enter?code={self.sessions.add_link(key)}\n", 201)

    def _opened(self, visit: Visit, key: ApiKey, there: str) -> Response:
        response = RedirectResponse(there, HTTPStatus.SEE_OTHER)
        set_session(response, visit.request, self.sessions.open(key))
        return response


def _inside(address: str) -> str:
    """Return the address if it is one of the console's own, else that of its first page."""
    ours = address == HOME or address.startswith((f"{HOME}/", f"{HOME}?"))
    safe = address.isascii() and address.isprintable() and "\\" not in address
    return address if ours and safe and "/login" not in address else HOME


def pages(sign_in: SignIn) -> Sequence[Page]:
    """Return the pages of signing in and out."""
    return (
        Page(
            method="GET",
            path="/console/login",
            name="login",
            handler=sign_in.ask,
            scope=None,
        ),
        Page(
            method="POST",
            path="/console/login",
            name="signIn",
            handler=sign_in.sign_in,
            scope=None,
        ),
        Page(
            method="GET",
            path="/console/enter",
            name="enter",
            handler=sign_in.follow,
            scope=None,
        ),
        Page(method="POST", path="/console/logout", name="signOut", handler=sign_in.sign_out),
        Page(
            method="POST",
            path="/console/links",
            name="link",
            handler=sign_in.link,
            scope=None,
            for_programs=True,
        ),
    )
