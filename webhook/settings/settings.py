"""Settings: declared once, each with its sentence."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from webhook.settings import validators
from webhook.settings.environment import Environment, SettingsError, separated, shown

__all__ = [
    "Addresses",
    "Connections",
    "Environment",
    "ReceiverSettings",
    "SettingsError",
    "separated",
    "shown",
]


class Connections(Environment):
    """What every process of falhook connects to, the command line too."""

    redis_url: Annotated[str, AfterValidator(validators.redis_url)] = Field(
        alias="REDIS_URL",
        description="Redis that holds records, inbox and timers: redis://[:password@]host:port/0. "
        "It must write an append-only file (infra/redis.conf).",
    )
    broker_url: Annotated[str, AfterValidator(validators.broker_url)] = Field(
        default="",
        alias="FALHOOK_BROKER_URL",
        description="Celery's broker, Redis or RabbitMQ; REDIS_URL where not set.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", alias="FALHOOK_LOG_LEVEL", description="DEBUG, INFO, WARNING or ERROR."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto",
        alias="FALHOOK_LOG_FORMAT",
        description="json, console, or auto: console at a terminal, json elsewhere.",
    )

    @model_validator(mode="before")
    @classmethod
    def _broker_follows_redis(cls, given: dict[str, object]) -> dict[str, object]:
        redis_url = str(given.get("REDIS_URL", ""))
        try:
            validators.redis_url(redis_url)
        except ValueError:  # told of REDIS_URL, and not of a setting that nobody has set
            return given
        if "FALHOOK_BROKER_URL" in given:
            return given
        # kombu spells a unix socket redis+socket://, redis-py spells it unix://.
        url = redis_url.replace("unix://", "redis+socket://", 1)
        return {**given, "FALHOOK_BROKER_URL": url}


class Addresses(Connections):
    """What is needed to mint the address that fal calls back."""

    public_url: Annotated[str, AfterValidator(validators.origin)] = Field(
        alias="FALHOOK_PUBLIC_URL",
        description="The https origin at which fal reaches the receiver, such as "
        "https://hooks.example.com.",
    )
    secret: Annotated[SecretStr, AfterValidator(validators.strong)] = Field(
        alias="FALHOOK_SECRET",
        description="One or more secrets, comma-separated, that make callback addresses "
        "unguessable; the first mints, all are accepted. Make one: openssl rand -hex 32.",
    )

    @property
    def secrets(self) -> tuple[str, ...]:
        """All accepted secrets, the minting one first."""
        return separated(self.secret.get_secret_value())


class ReceiverSettings(Addresses):
    """What the receiver needs."""

    fal_user_ids: Annotated[str, AfterValidator(validators.words)] = Field(
        alias="FALHOOK_FAL_USER_IDS",
        description="Your fal account's id (several: comma-separated). fal signs for every "
        "customer with the same keys, so callbacks of any other account are refused.",
    )
    jwks_url: Annotated[str, AfterValidator(validators.https_url)] = Field(
        default="https://rest.fal.ai/.well-known/jwks.json",
        alias="FALHOOK_JWKS_URL",
        description="Where fal publishes its public keys.",
    )
    meta_url: Annotated[str, AfterValidator(validators.https_url)] = Field(
        default="",
        alias="FALHOOK_META_URL",
        description="Set to https://api.fal.ai/v1/meta to refuse callers whose address fal does "
        "not publish there; the signature decides alone where not set.",
    )
    trusted_proxies: Annotated[str, AfterValidator(validators.networks)] = Field(
        default="",
        alias="FALHOOK_TRUSTED_PROXIES",
        description="Addresses or networks (10.0.0.0/8), comma-separated, of the proxies before "
        "the receiver, whose X-Forwarded-For is believed; matters with FALHOOK_META_URL alone.",
    )
    port: int = Field(
        default=8000, ge=0, le=65535, alias="PORT", description="TCP port of the receiver."
    )
    host: str = Field(
        default="0.0.0.0",  # noqa: S104  # a receiver is for the outside
        alias="FALHOOK_HOST",
        description="Address on which the receiver listens.",
    )

    @property
    def user_ids(self) -> tuple[str, ...]:
        """The fal accounts whose callbacks are ours."""
        return separated(self.fal_user_ids)

    @property
    def proxies(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of trusted proxies."""
        return tuple(ip_network(entry) for entry in separated(self.trusted_proxies))
