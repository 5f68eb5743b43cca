"""The error responses of fal and of its ingress."""

import hmac

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from infra.local.fal.connection_faults import DroppedConnection
from infra.local.fal.errors import PLATFORM
from infra.local.fal.job import new_request_id
from infra.local.fal.mishaps import Mishaps
from infra.local.fal.simulator import Simulator

_NGINX = (
    "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1>"
    "</center><hr><center>nginx</center></body></html>"
)
_REFUSALS: dict[str, tuple[int, str, str | None]] = {
    "status-403": (403, "User is locked. Reason: Exhausted balance.", None),
    "status-408": (408, "Request timed out", None),
    "status-409": (409, "Conflict", None),
    "status-422": (422, "Unprocessable request", None),
    "status-429": (429, "Too many requests", None),
    "status-500": (500, PLATFORM["internal_error"][1], "internal_error"),
    "status-503": (503, PLATFORM["runner_scheduling_failure"][1], "runner_scheduling_failure"),
}


class Refused(Exception):
    """A request is refused with `response`; no job is created."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def error_response(
    status: int, text: str, error_type: str | None = None, headers: dict[str, str] | None = None
) -> JSONResponse:
    """Return an error in the platform's format; it always has a request id."""
    typed = {"X-Fal-Error-Type": error_type} if error_type else {}
    content = {"detail": text} | ({"error_type": error_type} if error_type else {})
    every = {"x-fal-request-id": new_request_id()}
    return JSONResponse(content, status, headers=every | typed | (headers or {}))


def unauthorised(request: Request, simulation: Simulator) -> Response | None:
    """Return a 401 if the request lacks the account's key, else None."""
    authorization = request.headers.get("authorization", "").encode()
    if hmac.compare_digest(authorization, f"Key {simulation.account.key}".encode()):
        return None
    return error_response(401, "Cannot access application: authentication is required.")


def mishap_response(mishap: str, mishaps: Mishaps) -> Response:
    """Return the response to a POST to which this mishap applies."""
    if mishap == "connection-cut":
        return DroppedConnection(reset=True)
    if mishap == "status-502-nginx":
        return HTMLResponse(_NGINX, 502)
    status, text, error_type = _REFUSALS[mishap]
    after = mishaps.requested.get("status-429")
    return error_response(status, text, error_type, {"Retry-After": after} if after else None)
