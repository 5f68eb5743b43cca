"""Celery's settings that concern the broker, for Redis and RabbitMQ."""

from collections.abc import Mapping

from webhook.rabbitmq import parse_rabbitmq
from webhook.redis.address import RedisAddress, is_redis
from webhook.redis.transport import SCHEME, broker_url


def broker_settings(
    url: str,
    *,
    redis: Mapping[str, object],
    rabbitmq: Mapping[str, object],
    scheme: str | None = None,
) -> dict[str, object]:
    """Return Celery's settings that concern the broker.

    `redis` and `rabbitmq` are the transport options of each; `scheme` is the registered name of the
    Redis transport, by default that of senders. Raises ValueError if the URL is not usable.
    """
    if is_redis(url):
        address = RedisAddress.parse(url)
        options = {**redis, "address": address}
        return {
            "broker_url": broker_url(address, scheme or SCHEME),
            "broker_transport_options": options,
            "broker_use_ssl": False,
        }
    plain, tls = parse_rabbitmq(url)
    return {
        "broker_url": plain,
        # Without it a message that RabbitMQ could not store is lost in silence.
        "broker_transport_options": {"confirm_publish": True, **rabbitmq},
        "broker_use_ssl": tls or False,
    }
