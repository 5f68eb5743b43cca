"""The HTTP server that faces the outside: uvicorn, with its limits in one place."""

import uvicorn
from starlette.applications import Starlette

from webhook.settings import Settings


def configuration(app: Starlette, settings: Settings) -> uvicorn.Config:
    """How uvicorn serves `app`: access log off, nothing believed that a peer says of itself."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        ws="none",
        limit_concurrency=2_000,
        backlog=2048,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=20,
        h11_max_incomplete_event_size=32 * 1024,
    )
