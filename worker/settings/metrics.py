"""The settings of the exporter of metrics."""

from pydantic import Field

from webhook.settings.settings import Connections


class MetricsListener(Connections):
    """Where the exporter listens, and the Redis that it reads."""

    metrics_host: str = Field(
        default="127.0.0.1",
        alias="FALHOOK_METRICS_HOST",
        description="Address on which the exporter of metrics listens; * is every one. It asks for "
        "no password: only Prometheus should reach it.",
    )
    metrics_port: int = Field(
        default=9464,
        ge=0,
        le=65535,
        alias="FALHOOK_METRICS_PORT",
        description="TCP port of the exporter of metrics.",
    )
