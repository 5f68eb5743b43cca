"""The settings of metrics: of the exporter, and of the processes that have some of their own."""

from pydantic import Field

from webhook.settings.settings import Connections


class ProcessListener(Connections):
    """Where a process serves the metrics of its own."""

    metrics_host: str = Field(
        default="127.0.0.1",
        alias="FALHOOK_METRICS_HOST",
        description="Address on which metrics are served; * is every one. They need no password: "
        "only Prometheus should reach it.",
    )
    process_metrics_port: int = Field(
        default=0,
        ge=0,
        le=65_000,
        alias="FALHOOK_PROCESS_METRICS_PORT",
        description="TCP port of the API's own metrics; submit, callbacks, media, publish and "
        "notify have the next five. 0 serves none of them.",
    )


class MetricsListener(ProcessListener):
    """Where the exporter listens, and the Redis that it reads."""

    metrics_port: int = Field(
        default=9464,
        ge=0,
        le=65535,
        alias="FALHOOK_METRICS_PORT",
        description="TCP port of the exporter of metrics.",
    )
    metrics_tenants: int = Field(
        default=0,
        ge=0,
        le=20,
        alias="FALHOOK_METRICS_TENANTS",
        description="So many of the tenants that cost most today have figures by name, at most 20.",
    )
