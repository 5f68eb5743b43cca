"""`python -m webhook`: the receiver on uvicorn, its access log off."""

import sys

import uvicorn

from webhook.app import create_app
from webhook.server import configuration
from webhook.settings import Settings, SettingsError


def main() -> int:
    """Serve until SIGTERM; 2 if the settings do not hold."""
    try:
        settings = Settings.from_env()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    server = uvicorn.Server(configuration(create_app(settings), settings))
    server.run()
    return 0 if server.started else 3


if __name__ == "__main__":
    sys.exit(main())
