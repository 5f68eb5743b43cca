"""Redis as every process reaches it: its address, its connections, what its errors mean."""

from webhook.redis.address import RedisAddress, is_redis, tls_options
from webhook.redis.connections import RedisUnavailable, async_client, client
from webhook.redis.errors import refusal

__all__ = [
    "RedisAddress",
    "RedisUnavailable",
    "async_client",
    "client",
    "is_redis",
    "refusal",
    "tls_options",
]
