"""Checks of the status and headers of the CDN's response, before its body is read."""

import httpx

from worker.errors import Permanent, Transient
from worker.fal.errors import retry_after

GONE_STATUSES = frozenset({403, 404, 410})
RETRYABLE_STATUSES = frozenset({408, 425, 429})
# Values of Content-Encoding that leave the body as it is, registered or merely in use.
_UNENCODED = frozenset({"", "identity", "none", "binary", "utf-8", "aws-chunked"})


def check_response(host: str, response: httpx.Response) -> None:
    """Return if the response has an unencoded body, or is a 416. Raises Permanent or Transient."""
    status = response.status_code
    match status:
        case _ if response.is_success or status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            _check_encoding(host, response)
        case _ if response.is_redirect or response.has_redirect_location:
            raise Permanent(
                "download_refused", f"{host} redirects ({status}); redirects are not followed"
            )
        case _ if status in GONE_STATUSES:
            raise Permanent("download_gone", f"{host} no longer has the result ({status})")
        case _ if status in RETRYABLE_STATUSES or response.is_server_error:
            after = retry_after(response.headers)
            raise Transient("download_unavailable", f"{host} answered {status}", after=after)
        case _:
            raise Permanent("download_refused", f"{host} answered {status}")


def _check_encoding(host: str, response: httpx.Response) -> None:
    encoding = response.headers.get("Content-Encoding", "")
    codings = {coding.strip().lower() for coding in encoding.split(",")}
    if codings - _UNENCODED:
        raise Permanent(
            "download_refused",
            f"{host} sent the body with the content encoding {encoding[:40]!r}, not as requested",
        )
