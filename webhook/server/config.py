"""The HTTP server that faces the outside: uvicorn, with its limits in one place."""

import resource

import uvicorn
from starlette.applications import Starlette

from webhook.server.http_protocol import HttpLimits, bounded_by
from webhook.server.sockets import BACKLOG

# File descriptors beside the connections of callers: listener, Redis, broker, logs.
_OWN_FILES = 64
_MOST_FILES = 65_536


def configuration(app: Starlette, limits: HttpLimits | None = None) -> uvicorn.Config:
    """How uvicorn serves `app`: access log off, nothing believed that a peer says of itself.

    It listens on the sockets that its server is run with.
    """
    return uvicorn.Config(
        app,
        http=bounded_by(limits or HttpLimits(connections=_connections())),
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=20,
    )


def _connections() -> int:
    """As many as there are file descriptors for, after asking for more of these."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = hard == resource.RLIM_INFINITY
    wanted = _MOST_FILES if unlimited else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    most = HttpLimits().connections
    return most if soft == resource.RLIM_INFINITY else min(most, soft - _OWN_FILES)
