"""`python -m webhook`: the receiver on uvicorn."""

import gc
import sys

import uvicorn

from webhook.app import create_app
from webhook.log import capture_output, refuse
from webhook.server.config import configuration
from webhook.server.sockets import BindError, listen
from webhook.settings import ReceiverSettings, SettingsError


def main() -> int:
    """Serve until SIGTERM and return 0; 2 if a setting is wrong, 3 if the startup failed."""
    capture_output()
    try:
        settings = ReceiverSettings.from_env()
        listeners = listen(settings.host, settings.port)
    except (SettingsError, BindError) as error:
        refuse(str(error).splitlines())
        return 2
    server = uvicorn.Server(configuration(create_app(settings)))
    # Objects from imports and startup are never freed. Scanning them for garbage under load would
    # stop all callbacks for 50 ms each time.
    gc.collect()
    gc.freeze()
    server.run(sockets=listeners)
    return 0 if server.started else 3


if __name__ == "__main__":
    sys.exit(main())
