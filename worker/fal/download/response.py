"""What the CDN's answer to a request means, before its body."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from worker.errors import Permanent, Transient

GONE = frozenset({403, 404, 410})
LATER = frozenset({408, 425, 429})


def check(host: str, response: httpx.Response) -> None:
    """The answer has what was asked for, as it is. Raises what it means if it does not."""
    status = response.status_code
    match status:
        case _ if response.is_success or status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            _check_encoding(host, response)
        case _ if response.is_redirect or response.has_redirect_location:
            raise Permanent("download_refused", f"{host} redirects ({status}), which is refused")
        case _ if status in GONE:
            raise Permanent("download_gone", f"{host} no longer has the result ({status})")
        case _ if status in LATER or response.is_server_error:
            raise Transient(
                "download_unavailable", f"{host} answered {status}", after=_retry_after(response)
            )
        case _:
            raise Permanent("download_refused", f"{host} answered {status}")


def _check_encoding(host: str, response: httpx.Response) -> None:
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise Permanent("download_refused", f"{host} sent the body in {encoding[:40]!r}")


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds; RFC 9110, section 10.2.3 allows a number or a date."""
    value = response.headers.get("Retry-After", "")
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
