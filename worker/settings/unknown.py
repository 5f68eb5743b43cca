"""Environment variables that look like settings but are not, such as misspelt ones."""

import os
from collections.abc import Iterable, Mapping

from webhook.log import get_logger
from worker.settings.every import every_setting
from worker.text import nearest

PREFIX = "FALHOOK_"
# Variables of falhook's own tests.
_TEST_PREFIXES = ("FALHOOK_TEST_", "FALHOOK_FUZZ_")
# Variables of the API's clients.
_OF_CLIENTS = frozenset({"FALHOOK_API_URL", "FALHOOK_API_KEY"})

log = get_logger()


def unknown_settings(names: Iterable[str]) -> Mapping[str, str]:
    """Return each name with falhook's prefix that is not a setting, with the most similar one.

    The value is "" if no setting is similar.
    """
    settings = every_setting().keys()
    candidates = sorted(
        n
        for n in {*names} - _OF_CLIENTS
        if n.startswith(PREFIX) and not n.startswith(_TEST_PREFIXES)
    )
    return {
        name: nearest(name, settings, cutoff=0.8) or ""
        for name in candidates
        if name not in settings
    }


def messages(names: Iterable[str] = os.environ) -> list[str]:
    """Return one sentence for each unknown setting, with the correction."""
    return [
        f"{name} is not a setting and has no effect. "
        + (f"Did you mean {near}?" if near else "`falhook settings` lists all settings.")
        for name, near in unknown_settings(names).items()
    ]


def warn(names: Iterable[str] = os.environ) -> None:
    """Log each unknown setting."""
    for name, near in unknown_settings(names).items():
        log.warning("setting.unknown", setting=name, nearest=near)
