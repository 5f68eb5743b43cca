"""The settings that the local stack takes from the caller's shell.

The shell may hold the settings of a real deployment (README, "Go live"). Its key would be charged;
its broker, storage and receiver would get simulated jobs. Every setting of falhook, fal or Celery
is therefore dropped unless it is listed here.
"""

from collections.abc import Container, MutableMapping
from urllib.parse import urlsplit

KEPT_SETTINGS = frozenset(
    {
        "WEB_CONCURRENCY",
        "FALHOOK_LOG_LEVEL",
        "FALHOOK_LOG_FORMAT",
        "FALHOOK_PROFILE",
        "FALHOOK_AIGC_PROVIDER",
        "FALHOOK_MARKS",
        "FALHOOK_TAG_PROMPT",
        "FALHOOK_ISOLATION",
        "FALHOOK_C2PA_CERT",
        "FALHOOK_C2PA_KEY",
        "FALHOOK_C2PA_COMMAND",
        "FALHOOK_C2PA_TSA",
        "FALHOOK_C2PA_ANCHORS",
        "FALHOOK_CATALOGUE",
        "FALHOOK_INPUT_DIRECTORY",
        "FALHOOK_DOWNLOAD_MAX_BYTES",
        "FALHOOK_FFMPEG",
        "FALHOOK_CALLBACK_DEADLINE",
    }
)
"""Settings of inputs and outputs: no address, no storage, no secret, no fal key."""

# Kept as well, with an address of this machine: such a collector is nobody else's.
_TRACES, _HERE = "FALHOOK_TRACES_URL", {"127.0.0.1", "localhost", "::1"}

# var/local/env exports each setting that is kept below a second time, with this prefix, so that a
# shell that sourced it does not lead the next stack to the last one's Redis.
SOURCED = "LOCAL_STACK_"

# Celery prefers CELERY_BROKER_URL to the broker passed to it; fal-client reads FAL_RUN_HOST.
_PREFIXES = ("FALHOOK_", "FAL_", "CELERY_")


def remove_deployment_settings(
    environ: MutableMapping[str, str], keep: Container[str] = KEPT_SETTINGS
) -> None:
    """Remove every setting from `environ` that is not in `keep`, but a collector on this machine.

    Call it on `os.environ` before any process starts, so that all of them inherit the result.
    REDIS_URL is kept: `infra.local.redis.external` checks what that Redis holds before using it.
    The settings of an earlier stack, which the shell sourced from its env file, are removed too.
    """
    for name in tuple(environ):
        if name.startswith(SOURCED):
            value, setting = environ.pop(name), name.removeprefix(SOURCED)
            if environ.get(setting) == value:
                del environ[setting]
    for name in tuple(environ):
        if name not in keep and is_deployment_setting(name) and not _is_local(name, environ[name]):
            del environ[name]


def _is_local(name: str, value: str) -> bool:
    return name == _TRACES and urlsplit(value).hostname in _HERE


def is_deployment_setting(name: str) -> bool:
    """Return whether `name` is a setting of falhook, fal or Celery; REDIS_URL is not."""
    return name in {"PORT", "WEB_CONCURRENCY"} or name.startswith(_PREFIXES)
