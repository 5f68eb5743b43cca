"""FALHOOK_CATALOGUE, the setting that commands which show endpoints read alone.

pydantic, which reads all other settings, takes longer to import than such a command takes.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from webhook.settings.errors import SettingsError, given, shown, wrong

CATALOGUE = "FALHOOK_CATALOGUE"
DESCRIPTION = (
    "Directory with your own endpoints (*.toml, and the *.json that `falhook models add` writes), "
    "read when a process starts."
)


def existing_directory(value: Path | None) -> Path | None:
    """Return `value` if it is a directory, or None; else raise ValueError with the fault."""
    if value is not None and not value.is_dir():
        raise ValueError("is not an existing directory: create it, or remove the setting")
    return value


def read_catalogue_directory(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the directory in `environ`; None if it is not set.

    Raises the SettingsError that `CatalogueSettings` would raise.
    """
    value = given(environ).get(CATALOGUE)
    if value is None:
        return None
    try:
        return existing_directory(Path(value))
    except ValueError as error:
        raise SettingsError([wrong(CATALOGUE, shown(value), str(error), DESCRIPTION)]) from None
