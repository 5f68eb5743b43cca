"""`python -m webhook`: the receiver on uvicorn, its access log off."""

import gc
import sys

import uvicorn

from webhook.app import create_app
from webhook.server.config import configuration
from webhook.server.sockets import BindError, listen
from webhook.settings import ReceiverSettings, SettingsError


def main() -> int:
    """Serve until SIGTERM; 2 if the settings do not hold, or nobody can listen where they say."""
    try:
        settings = ReceiverSettings.from_env()
        listeners = listen(settings.host, settings.port)
    except (SettingsError, BindError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    server = uvicorn.Server(configuration(create_app(settings)))
    # What is imported and built by now stays: looking through it for garbage, as Python would
    # again and again under load, stops all callbacks for 50 ms.
    gc.collect()
    gc.freeze()
    server.run(sockets=listeners)
    return 0 if server.started else 3


if __name__ == "__main__":
    sys.exit(main())
