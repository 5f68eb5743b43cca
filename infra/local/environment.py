"""What of the caller's shell the local stack may have.

The shell may hold the settings of a real deployment (README, "Go live"): its key would be charged,
its broker, storage and receiver would get simulated jobs. So all that is falhook's, fal's or
Celery's stays behind, but for what is named here.
"""

from __future__ import annotations

from collections.abc import Container, MutableMapping

MAKING = frozenset(
    {
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
"""Settings that say what is taken and made: no address, secret, key of fal, or storage."""

# Celery believes CELERY_BROKER_URL before the broker it was given, fal-client FAL_RUN_HOST.
_PREFIXES = ("FALHOOK_", "FAL_", "CELERY_")


def forget_deployment(environ: MutableMapping[str, str], keep: Container[str] = MAKING) -> None:
    """Take every setting out of `environ` that is not in `keep`.

    Done to `os.environ` before anything starts, it holds for whatever is started. REDIS_URL stays:
    who uses it looks first at what is there (`redis_given`).
    """
    for name in tuple(environ):
        if name not in keep and (name == "PORT" or name.startswith(_PREFIXES)):
            del environ[name]
