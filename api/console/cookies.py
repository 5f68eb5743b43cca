"""The cookie that holds a session: not readable by scripts, and sent by our own pages alone.

https://www.rfc-editor.org/rfc/rfc6265 and for the prefix `__Host-`
https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis#section-4.1.3.2
"""

from starlette.requests import Request
from starlette.responses import Response

from api.console.origin import is_secure
from api.console.sessions import LASTS

# Cookies do not differ by port: a name without the prefix is for plain http alone.
_SECURE, _PLAIN = "__Host-falhook", "falhook"


def session_token(request: Request) -> str:
    """Return the cookie's content; "" without a cookie."""
    return request.cookies.get(_SECURE if is_secure(request) else _PLAIN, "")


def set_session(response: Response, request: Request, token: str) -> None:
    """Let the browser keep the session; with an empty token, let it forget it."""
    secure = is_secure(request)
    response.set_cookie(
        _SECURE if secure else _PLAIN,
        token,
        max_age=LASTS if token else 0,
        path="/",
        secure=secure,
        httponly=True,
        samesite="strict",
    )
