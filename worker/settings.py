"""The receiver's settings plus the pipeline's own."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from webhook.settings import Settings as ReceiverSettings


def _keyed(value: SecretStr) -> SecretStr:
    # https://docs.fal.ai : a key has the form <id>:<secret>.
    key_id, colon, secret = value.get_secret_value().partition(":")
    if not (key_id and colon and secret):
        raise ValueError("must have the form <id>:<secret>")
    return value


def _program(value: str) -> str:
    if value and not Path(value).is_file():
        raise ValueError(f"names no file: {value}")
    return value


class Settings(ReceiverSettings):
    """What the Celery workers need."""

    fal_key: Annotated[SecretStr, AfterValidator(_keyed)] = Field(
        alias="FAL_KEY",
        description="fal's API key, <id>:<secret>; API scope is enough.",
    )
    storage_url: str = Field(
        default="./var/storage",
        alias="FALHOOK_STORAGE_URL",
        description="Where sources and published files lie: a directory, file:///…, "
        "s3://bucket/prefix, gs://… or az://…; all workers must reach the same one.",
    )
    download_hosts: str = Field(
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
    ffmpeg: Annotated[str, AfterValidator(_program)] = Field(
        default="",
        alias="FALHOOK_FFMPEG",
        description="Path of the ffmpeg to use; the wheel's own where not set.",
    )
    callback_deadline: float = Field(
        default=2700.0,
        gt=0,
        alias="FALHOOK_CALLBACK_DEADLINE",
        description="Seconds from submission until a missing callback counts as lost and its "
        "result is looked up once. fal keeps results for about an hour.",
    )
