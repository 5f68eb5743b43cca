"""The settings for looking up an endpoint."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from webhook.settings.environment import Environment
from worker.settings.catalogue_directory import DESCRIPTION, existing_directory


class CatalogueSettings(Environment):
    """The settings for looking up an endpoint."""

    catalogue: Annotated[Path | None, AfterValidator(existing_directory)] = Field(
        default=None, alias="FALHOOK_CATALOGUE", description=DESCRIPTION
    )
