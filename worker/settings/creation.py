"""The settings for creating jobs."""

from pydantic import Field

from webhook.settings.environment import separated
from webhook.settings.settings import Connections
from worker.settings.catalogue import CatalogueSettings


class CreationSettings(CatalogueSettings):
    """The settings for creating a job, except the connections."""

    storage_url: str = Field(
        default="./var/storage",
        alias="FALHOOK_STORAGE_URL",
        description="Storage for inputs, sources and published files: a directory, file:///…, "
        "s3://bucket/prefix, gs://… or az://…. All workers, and all processes that create jobs "
        "with local files, must use the same one.",
    )
    event_metadata: str = Field(
        default="",
        alias="FALHOOK_EVENT_METADATA",
        description="Names of metadata, comma-separated, that the events of jobs created by this "
        "process carry, or * for all; by default none.",
    )

    traces_url: str = Field(
        default="",
        alias="FALHOOK_TRACES_URL",
        description="Address of a collector of traces (OTLP over HTTP), such as "
        "http://collector:4318/v1/traces; workers need the extra otel. Jobs created while it is "
        "set are traced; if not set, nothing is sent.",
    )
    notify_http: bool = Field(
        default=False,
        alias="FALHOOK_NOTIFY_HTTP",
        description="1 allows receivers of webhooks that are http on port 80, beside https on 443.",
    )
    notify_loopback: bool = Field(
        default=False,
        alias="FALHOOK_NOTIFY_LOOPBACK",
        description="1 allows receivers of webhooks on this machine. Only the local stack sets it.",
    )

    @property
    def event_metadata_names(self) -> tuple[str, ...]:
        """The names of the metadata that events carry; "*" stands for all."""
        return separated(self.event_metadata)


class CreationWithRedis(CreationSettings, Connections):
    """The settings of a command that creates jobs."""
