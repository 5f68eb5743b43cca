"""Variables that look like settings and are none: nothing else would tell a misspelt one."""

import os
from collections.abc import Iterable, Mapping

from webhook.log import get_logger
from worker.settings.settings import Settings
from worker.text import nearest

PREFIX = "FALHOOK_"
# What our own tests are told by.
_OTHERS = ("FALHOOK_TEST_", "FALHOOK_FUZZ_")

log = get_logger()


def unknown_settings(names: Iterable[str]) -> Mapping[str, str]:
    """Each name that begins as ours do and is no setting, with the one most like it, or ""."""
    known = Settings.names()
    unknown = sorted(n for n in names if n.startswith(PREFIX) and not n.startswith(_OTHERS))
    return {
        name: nearest(name, known, cutoff=0.8) or ""
        for name in unknown
        if name not in known
    }


def messages(names: Iterable[str] = os.environ) -> list[str]:
    """One for each of them, with the cure."""
    return [
        f"{name} is no setting and does nothing"
        + (f": did you mean {near}?" if near else "; `falhook settings` lists all.")
        for name, near in unknown_settings(names).items()
    ]


def warn(names: Iterable[str] = os.environ) -> None:
    """Afterwards each of them stands in the log."""
    for name, near in unknown_settings(names).items():
        log.warning("setting.unknown", setting=name, nearest=near)
