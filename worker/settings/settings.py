"""The receiver's settings plus the pipeline's own."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from webhook.settings import Connections, Environment, ReceiverSettings
from worker.settings import validators
from worker.settings.media import MediaSettings

# fal-client's own name of the host; importing it for this would slow the command line down.
REST_HOST = "rest.fal.ai"
# Seconds for which fal keeps results, about: later a look-up finds nothing.
FAL_KEEPS = 3600


class CatalogueSettings(Environment):
    """What looking up an endpoint needs."""

    catalogue: Annotated[Path | None, AfterValidator(validators.directory)] = Field(
        default=None,
        alias="FALHOOK_CATALOGUE",
        description="Directory of your own endpoints (*.toml, and the *.json that "
        "`falhook models add` writes there), read when a process starts.",
    )


class CreationSettings(CatalogueSettings):
    """What making a job needs, beside the connections."""

    storage_url: str = Field(
        default="./var/storage",
        alias="FALHOOK_STORAGE_URL",
        description="Where inputs, sources and published files lie: a directory, file:///…, "
        "s3://bucket/prefix, gs://… or az://…; all workers, and whoever gives jobs local files, "
        "must reach the same one.",
    )


class CreationWithRedis(CreationSettings, Connections):
    """What the command line needs to make jobs."""


class FalHosts(Environment):
    """Where fal is: fal-client reads both, when it is imported."""

    run_host: Annotated[str, AfterValidator(validators.host)] = Field(
        default="fal.run",
        alias="FAL_RUN_HOST",
        description="fal's host, as fal-client reads it; for a simulated fal.",
    )
    queue_run_host: Annotated[str, AfterValidator(validators.host)] = Field(
        default="",
        alias="FAL_QUEUE_RUN_HOST",
        description="The host that takes jobs, as fal-client reads it; queue.FAL_RUN_HOST where "
        "not set.",
    )

    @property
    def queue(self) -> str:
        """The origin that jobs are posted to."""
        return f"https://{self.queue_run_host or f'queue.{self.run_host}'}"


class FalSettings(FalHosts):
    """What talking to fal needs."""

    fal_key: Annotated[SecretStr, AfterValidator(validators.keyed)] = Field(
        alias="FAL_KEY",
        description="fal's API key, <id>:<secret>; API scope is enough.",
    )


class Settings(FalSettings, CreationSettings, MediaSettings, ReceiverSettings):
    """What the Celery workers need."""

    fal_rest_host: Annotated[str, AfterValidator(validators.host)] = Field(
        default=REST_HOST,
        alias="FAL_REST_HOST",
        description="The host that issues fal's upload tokens.",
    )
    input_directory: Annotated[Path | None, AfterValidator(validators.directory)] = Field(
        default=None,
        alias="FALHOOK_INPUT_DIRECTORY",
        description="Directory below which file: inputs of falhook.create messages must lie; "
        "where not set, such messages may name no file of this machine.",
    )
    upload_lifetime: int = Field(
        default=604_800,
        ge=3600,
        alias="FALHOOK_UPLOAD_LIFETIME",
        description="Seconds for which fal keeps the inputs that are uploaded to it.",
    )
    download_hosts: Annotated[str, AfterValidator(validators.download_hosts)] = Field(
        default="*.fal.media,fal.media,storage.googleapis.com/falserverless/",
        alias="FALHOOK_DOWNLOAD_HOSTS",
        description="Hosts that results may be downloaded from, comma-separated: host, *.host, "
        "host:port or host/prefix/.",
    )
    download_max_bytes: int = Field(
        default=1_073_741_824,
        gt=0,
        alias="FALHOOK_DOWNLOAD_MAX_BYTES",
        description="The largest result that is downloaded, in bytes.",
    )
    ffmpeg: Annotated[str, AfterValidator(validators.program)] = Field(
        default="",
        alias="FALHOOK_FFMPEG",
        description="Path of the ffmpeg to use; the wheel's own where not set.",
    )
    callback_deadline: float = Field(
        default=2700.0,
        gt=0,
        lt=FAL_KEEPS,
        allow_inf_nan=False,
        alias="FALHOOK_CALLBACK_DEADLINE",
        description="Seconds from submission until a missing callback counts as lost and its "
        "result is looked up once; below 3600, since fal keeps results for about an hour.",
    )
