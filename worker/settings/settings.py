"""The settings of the pipeline, in the groups that its processes need."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from webhook.settings.settings import ReceiverSettings
from worker.settings import validators
from worker.settings.catalogue_directory import existing_directory
from worker.settings.creation import CreationSettings
from worker.settings.fal import FalSettings
from worker.settings.media import MediaSettings
from worker.settings.metrics import ProcessListener

# As in fal-client; importing that for a constant would slow the command line down.
REST_HOST = "rest.fal.ai"
# Seconds for which fal keeps results, approximately: a later look-up finds nothing.
RESULT_LIFETIME = 3600


class Settings(FalSettings, CreationSettings, MediaSettings, ReceiverSettings, ProcessListener):
    """The settings of the Celery workers."""

    fal_rest_host: Annotated[str, AfterValidator(validators.host)] = Field(
        default=REST_HOST,
        alias="FAL_REST_HOST",
        description="The host that issues fal's upload tokens.",
    )
    input_directory: Annotated[Path | None, AfterValidator(existing_directory)] = Field(
        default=None,
        alias="FALHOOK_INPUT_DIRECTORY",
        description="Directory that must contain the file: inputs of falhook.create messages; "
        "if not set, such messages cannot use local files.",
    )
    upload_lifetime: int = Field(
        default=604_800,
        ge=3600,
        alias="FALHOOK_UPLOAD_LIFETIME",
        description="Seconds for which fal keeps uploaded inputs.",
    )
    download_hosts: Annotated[str, AfterValidator(validators.download_hosts)] = Field(
        default="*.fal.media,fal.media,storage.googleapis.com/falserverless/",
        alias="FALHOOK_DOWNLOAD_HOSTS",
        description="Hosts from which results may be downloaded, comma-separated: host, *.host, "
        "host:port or host/prefix/.",
    )
    download_max_bytes: int = Field(
        default=1_073_741_824,
        gt=0,
        alias="FALHOOK_DOWNLOAD_MAX_BYTES",
        description="Maximum size of a downloaded result, in bytes.",
    )
    ffmpeg: Annotated[str, AfterValidator(validators.existing_file)] = Field(
        default="",
        alias="FALHOOK_FFMPEG",
        description="Path of ffmpeg; defaults to the one in the imageio-ffmpeg wheel.",
    )
    retention: Annotated[str, AfterValidator(validators.retention)] = Field(
        default="30d",
        alias="FALHOOK_RETENTION",
        description="How long after its end a job's record stays in Redis before it moves to "
        "storage as history.jsonl: 30d, 12h or off, and other periods for some states, such as "
        "30d,FAILED=90d. Inputs and work files are deleted after twice the longest period.",
    )
    api_public_url: Annotated[str, AfterValidator(validators.optional_origin)] = Field(
        default="",
        alias="FALHOOK_API_PUBLIC_URL",
        description="The https origin at which receivers of webhooks reach the API, for the links "
        "in messages; if not set, links begin with /v1/.",
    )
    heartbeat_directory: Annotated[Path | None, AfterValidator(existing_directory)] = Field(
        default=None,
        alias="FALHOOK_HEARTBEAT_DIRECTORY",
        description="Directory in memory in which each worker and beat notes that it works, for "
        "python -m worker.liveness; the images set it.",
    )
    callback_deadline: float = Field(
        default=2700.0,
        gt=0,
        lt=RESULT_LIFETIME,
        allow_inf_nan=False,
        alias="FALHOOK_CALLBACK_DEADLINE",
        description="Seconds from submission until a missing callback counts as lost and the "
        "result is looked up once; less than 3600, because fal keeps results for about an hour.",
    )
