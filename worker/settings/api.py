"""The settings of the HTTP API."""

from pydantic import Field

from webhook.settings.settings import Secrets
from worker.settings.creation import CreationSettings
from worker.settings.fal import FalSettings
from worker.settings.metrics import ProcessListener


class ApiListener(CreationSettings):
    """Where the API listens, and what one key may do there."""

    api_host: str = Field(
        default="127.0.0.1",
        alias="FALHOOK_API_HOST",
        description="Address on which the API listens; * is every one. Put TLS in front of it: "
        "its keys are passwords.",
    )
    api_port: int = Field(
        default=8080,
        ge=0,
        le=65535,
        alias="FALHOOK_API_PORT",
        description="TCP port of the API.",
    )
    api_require_key: bool = Field(
        default=False,
        alias="FALHOOK_API_REQUIRE_KEY",
        description="1 refuses the creation of a job without an Idempotency-Key.",
    )
    api_create_rate: float = Field(
        default=50.0,
        gt=0,
        le=100_000,
        allow_inf_nan=False,
        alias="FALHOOK_API_CREATE_RATE",
        description="Jobs that one API key may create, cancel or continue a second; twice as many "
        "at once.",
    )
    api_read_rate: float = Field(
        default=20.0,
        gt=0,
        le=100_000,
        allow_inf_nan=False,
        alias="FALHOOK_API_READ_RATE",
        description="Requests that read, for one API key a second; ten times as many at once.",
    )
    api_upload_max_bytes: int = Field(
        default=209_715_200,
        gt=0,
        alias="FALHOOK_API_UPLOAD_MAX_BYTES",
        description="Largest input file that the API takes, in bytes.",
    )


class ApiSettings(ApiListener, FalSettings, Secrets, ProcessListener):
    """The settings of an API process."""
