"""The settings of the receiver, each declared once with its description."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from webhook.settings import validators
from webhook.settings.environment import Environment, separated
from webhook.settings.redis_url import DESCRIPTION, checked_redis_url


class Connections(Environment):
    """The settings of every process of falhook, the command line too."""

    redis_url: Annotated[str, AfterValidator(checked_redis_url)] = Field(
        alias="REDIS_URL", description=DESCRIPTION
    )
    broker_url: Annotated[str, AfterValidator(validators.broker_url)] = Field(
        default="",
        alias="FALHOOK_BROKER_URL",
        description="Celery's broker: Redis (not a cluster) or RabbitMQ (amqp://, amqps://); "
        "defaults to REDIS_URL.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO",
        alias="FALHOOK_LOG_LEVEL",
        description="Log level: DEBUG, INFO, WARNING or ERROR.",
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto",
        alias="FALHOOK_LOG_FORMAT",
        description="Log format: json, console, or auto (console in a terminal, otherwise json).",
    )

    @model_validator(mode="before")
    @classmethod
    def _broker_defaults_to_redis(cls, values: dict[str, object]) -> dict[str, object]:
        url = str(values.get("REDIS_URL", ""))
        try:
            checked_redis_url(url)
        except ValueError:  # reported for REDIS_URL, not also for a setting that is not set
            return values
        if "FALHOOK_BROKER_URL" in values:
            return values
        # kombu spells a unix socket redis+socket://, redis-py spells it unix://.
        url = url.replace("unix://", "redis+socket://", 1)
        return {**values, "FALHOOK_BROKER_URL": url}


class Secrets(Connections):
    """The settings of a process that needs our secrets."""

    secret: Annotated[SecretStr, AfterValidator(validators.strong)] = Field(
        alias="FALHOOK_SECRET",
        description="One or more secrets, comma-separated, that sign callback addresses; the first "
        "signs new ones, all are accepted. Create one with: openssl rand -hex 32.",
    )

    @property
    def secrets(self) -> tuple[str, ...]:
        """All accepted secrets; the first signs new addresses."""
        return separated(self.secret.get_secret_value())


class ReceiverSettings(Secrets):
    """The settings of the receiver."""

    public_url: Annotated[str, AfterValidator(validators.origin)] = Field(
        alias="FALHOOK_PUBLIC_URL",
        description="The https origin at which fal reaches the receiver, such as "
        "https://hooks.example.com.",
    )
    fal_user_ids: Annotated[str, AfterValidator(validators.account_ids)] = Field(
        alias="FALHOOK_FAL_USER_IDS",
        description="Your fal account id, or several, comma-separated. fal signs for every "
        "customer with the same keys, so callbacks of other accounts are refused.",
    )
    jwks_url: Annotated[str, AfterValidator(validators.https_url)] = Field(
        default="https://rest.fal.ai/.well-known/jwks.json",
        alias="FALHOOK_JWKS_URL",
        description="URL of fal's public keys.",
    )
    meta_url: Annotated[str, AfterValidator(validators.https_url)] = Field(
        default="",
        alias="FALHOOK_META_URL",
        description="Set to https://api.fal.ai/v1/meta to refuse callers whose address fal does "
        "not publish there; if not set, only the signature counts.",
    )
    trusted_proxies: Annotated[str, AfterValidator(validators.networks)] = Field(
        default="",
        alias="FALHOOK_TRUSTED_PROXIES",
        description="Addresses or networks (10.0.0.0/8), comma-separated, of proxies whose "
        "X-Forwarded-For the receiver trusts; only used with FALHOOK_META_URL.",
    )
    port: int = Field(
        default=8000, ge=0, le=65535, alias="PORT", description="TCP port of the receiver."
    )
    host: str = Field(
        default="*",
        alias="FALHOOK_HOST",
        description="Address on which the receiver listens; * is every one, IPv4 and IPv6.",
    )
    processes: int = Field(
        default=1,
        ge=1,
        le=64,
        alias="WEB_CONCURRENCY",
        description="Processes of one receiver, from 1 to 64, which share PORT; at most one for "
        "each core.",
    )

    @property
    def user_ids(self) -> tuple[str, ...]:
        """The fal accounts whose callbacks are accepted."""
        return separated(self.fal_user_ids)

    @property
    def proxies(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of trusted proxies."""
        return tuple(ip_network(entry) for entry in separated(self.trusted_proxies))
