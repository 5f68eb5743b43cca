"""The settings for requests to fal."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from webhook.settings.environment import Environment
from worker.settings import validators
from worker.settings.catalogue import CatalogueSettings


class FalHosts(Environment):
    """The hosts of fal; fal-client reads both variables when it is imported."""

    run_host: Annotated[str, AfterValidator(validators.host)] = Field(
        default="fal.run",
        alias="FAL_RUN_HOST",
        description="fal's host, as read by fal-client; change it only for a simulated fal.",
    )
    queue_run_host: Annotated[str, AfterValidator(validators.host)] = Field(
        default="",
        alias="FAL_QUEUE_RUN_HOST",
        description="The host that accepts jobs, as read by fal-client; defaults to "
        "queue.FAL_RUN_HOST.",
    )

    @property
    def queue(self) -> str:
        """The origin to which jobs are posted."""
        return f"https://{self.queue_run_host or f'queue.{self.run_host}'}"


class FalSettings(FalHosts):
    """The settings for requests to fal."""

    fal_key: Annotated[SecretStr, AfterValidator(validators.fal_key)] = Field(
        alias="FAL_KEY",
        description="fal's API key, <id>:<secret>; the API scope is sufficient.",
    )
    fal_api_host: Annotated[str, AfterValidator(validators.host)] = Field(
        default="api.fal.ai",
        alias="FALHOOK_FAL_API_HOST",
        description="The host of fal's platform API, which lists prices.",
    )


class PriceSettings(FalSettings, CatalogueSettings):
    """The settings for reading fal's prices into the catalogue."""
