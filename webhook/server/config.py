"""The configuration of the public HTTP server, uvicorn."""

import resource

import uvicorn
from starlette.types import ASGIApp

from webhook.server.direct_protocol import Direct, direct_to
from webhook.server.http_protocol import HttpLimits, bounded_by
from webhook.server.sockets import BACKLOG

# File descriptors that are not connections of callers: listeners, Redis, broker, logs.
_RESERVED_FILES = 64
_MAX_FILES = 65_536


def configuration(
    app: ASGIApp, limits: HttpLimits | None = None, *, direct: Direct | None = None
) -> uvicorn.Config:
    """Return uvicorn's configuration for `app`: no access log, no trust in proxy headers.

    `direct` is offered each request before `app`. The sockets are passed to the server's `run`.
    """
    limits = limits or HttpLimits(connections=max_connections(HttpLimits().connections))
    return uvicorn.Config(
        app,
        http=bounded_by(limits) if direct is None else direct_to(direct, limits),
        ws="none",
        workers=1,  # uvicorn would read WEB_CONCURRENCY by itself
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=20,
    )


def max_connections(most: int) -> int:
    """Raise the limit of open files; return how many connections fit into it, at most `most`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = hard == resource.RLIM_INFINITY
    wanted = _MAX_FILES if unlimited else min(hard, _MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return most if soft == resource.RLIM_INFINITY else min(most, soft - _RESERVED_FILES)
