"""`python -m webhook`: the receiver on uvicorn, its access log off."""

import sys

import uvicorn

from webhook.app import create_app
from webhook.settings import Settings, SettingsError


def main() -> int:
    """Serve until SIGTERM; 2 if the settings do not hold."""
    try:
        settings = Settings.from_env()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        access_log=False,
        log_config=None,
        server_header=False,
        limit_concurrency=2_000,
        backlog=2048,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=20,
        h11_max_incomplete_event_size=32 * 1024,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
