"""Whether a request comes from one of our own pages, and over https."""

from urllib.parse import urlsplit

from starlette.requests import Request


def is_ours(request: Request) -> bool:
    """Return whether the request was sent by a page of this server.

    Browsers say it in Sec-Fetch-Site, which no page can set, on https and on the own machine; else
    the Origin must be the host that is asked. https://www.w3.org/TR/fetch-metadata/
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    host = urlsplit(request.headers.get("origin", "")).netloc
    return bool(host) and host == request.headers.get("host")


def is_secure(request: Request) -> bool:
    """Return whether the browser speaks https, with us or with the proxy in front.

    A header that lies only makes the browser keep its own cookie back.
    """
    forwarded = request.headers.get("x-forwarded-proto", "").partition(",")[0].strip()
    return (forwarded or request.url.scheme) == "https"


def is_on_this_machine(request: Request) -> bool:
    """Return whether the request comes from this machine, and through no proxy."""
    client = request.client
    forwarded = {"x-forwarded-for", "forwarded", "x-real-ip"} & set(request.headers)
    return client is not None and client.host in {"127.0.0.1", "::1"} and not forwarded
