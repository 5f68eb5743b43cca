"""The headers of every page: it runs our files alone, and no other site may frame it."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from worker.errors import Failure
from worker.storage import Storage

_RULES: Mapping[str, str] = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "media-src": "'self'",
    "connect-src": "'self'",
    "worker-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "falhook",
}
_OF_STORAGE = ("img-src", "media-src")


def page_headers(store: str = "") -> Mapping[str, str]:
    """Return the headers of a page that may show files of the origin `store`."""
    rules = (
        f"{name} {value}{f' {store}' if store and name in _OF_STORAGE else ''}"
        for name, value in _RULES.items()
    )
    return {
        "Content-Security-Policy": "; ".join(rules),
        "X-Content-Type-Options": "nosniff",
        # Not no-referrer: a form's Origin would be null then.
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


def storage_origin(storage: Callable[[], Storage]) -> str:
    """Return the origin of a remote storage's addresses; "" for a directory, or if it is away."""
    with suppress(Failure, ValueError):
        parts = urlsplit(storage().signed_url("published/any", seconds=1))
        return f"{parts.scheme}://{parts.netloc}"
    return ""
