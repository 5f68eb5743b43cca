"""Environment variables of other Celery applications that would change falhook's broker.

Celery prefers them to an application's own settings. On a platform with one environment for
several applications they name the broker of another.
"""

import os
from collections.abc import Mapping, MutableMapping

from webhook.log import get_logger

# celery/app/utils.py (Settings), celery/app/base.py (loader) and celery/loaders/base.py of 5.7.
# `celery -b`, --broker and BROKER_URL set the first.
VARIABLES = (
    "CELERY_BROKER_URL",
    "CELERY_BROKER_READ_URL",
    "CELERY_BROKER_WRITE_URL",
    "CELERY_RESULT_BACKEND",
    "CELERY_LOADER",
    "CELERY_CONFIG_MODULE",
)

log = get_logger()


def ignore_celery_variables(environ: MutableMapping[str, str] | None = None) -> None:
    """Remove these variables from this process's environment, each with a warning in the log."""
    variables = os.environ if environ is None else environ
    for name in present(variables):
        log.warning("setting.ignored", setting=name)
    for name in VARIABLES:
        variables.pop(name, None)


def present(environ: Mapping[str, str] | None = None) -> list[str]:
    """Return those of these variables that are set."""
    variables = os.environ if environ is None else environ
    return [name for name in VARIABLES if variables.get(name)]
