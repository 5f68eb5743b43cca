"""REDIS_URL, the setting that every process reads, and commands that only read jobs read alone.

pydantic, which reads all other settings, takes a tenth of a second to import.
"""

import os
from collections.abc import Mapping

from webhook.redis.address import RedisAddress
from webhook.settings.errors import SettingsError, given, missing, shown, wrong

REDIS_URL = "REDIS_URL"
DESCRIPTION = (
    "Redis for job records, inbox and timers: redis://[:password@]host:port/0, rediss:// for TLS "
    "(verified, unless ?ssl_cert_reqs=none), unix:///path?db=0, "
    "redis+sentinel://host1,host2,host3/NAME/0 (?sentinel_password=…) or "
    "redis+cluster://host1,host2; rediss+… for TLS. "
    "It must write an append-only file (infra/redis.conf)."
)


def checked_redis_url(value: str) -> str:
    """Return `value` if it is the URL of a Redis; else raise ValueError with the fault."""
    RedisAddress.parse(value)
    return value


def read_redis_url(environ: Mapping[str, str] = os.environ) -> str:
    """Return the URL in `environ`. Raises the SettingsError that `Connections` would raise."""
    value = given(environ).get(REDIS_URL)
    if value is None:
        raise SettingsError([missing(REDIS_URL, DESCRIPTION)])
    try:
        return checked_redis_url(value)
    except ValueError as error:
        raise SettingsError([wrong(REDIS_URL, shown(value), str(error), DESCRIPTION)]) from None
