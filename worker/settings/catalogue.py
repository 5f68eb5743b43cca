"""The settings for looking up an endpoint."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from webhook.settings.environment import Environment
from worker.settings import validators


class CatalogueSettings(Environment):
    """The settings for looking up an endpoint."""

    catalogue: Annotated[Path | None, AfterValidator(validators.existing_directory)] = Field(
        default=None,
        alias="FALHOOK_CATALOGUE",
        description="Directory with your own endpoints (*.toml, and the *.json that "
        "`falhook models add` writes), read when a process starts.",
    )
