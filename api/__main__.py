"""`python -m api`: the API on uvicorn."""

import math
import sys

import uvicorn

from api.app import create_app
from webhook.log import capture_output, refuse
from webhook.server.config import configuration
from webhook.server.http_protocol import HttpLimits
from webhook.server.sockets import BindError, listen
from webhook.settings.errors import SettingsError
from worker.settings.api import ApiSettings


def main() -> int:
    """Serve until SIGTERM and return 0; 2 if a setting is wrong, 3 if the startup failed."""
    capture_output()
    try:
        settings = ApiSettings.from_env()
        listeners = listen(settings.api_host, settings.api_port)
    except (SettingsError, BindError) as error:
        refuse(str(error).splitlines())
        return 2
    server = uvicorn.Server(configuration(create_app(settings), limits(settings)))
    server.run(sockets=listeners)
    return 0 if server.started else 3


def limits(settings: ApiSettings) -> HttpLimits:
    """Return the limits of requests: an upload takes its time, and a stream never ends."""
    return HttpLimits(
        request_bytes=2 * settings.api_upload_max_bytes,
        body_seconds=600.0,
        answer_seconds=math.inf,
    )


if __name__ == "__main__":
    sys.exit(main())
