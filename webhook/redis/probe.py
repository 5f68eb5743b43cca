"""A harmless write that shows whether a Redis takes what falhook writes.

A ping is answered by a replica, by a Redis whose disk is full, and by one that is full itself.
"""

from typing import Any

from kombu import Connection
from redis import Redis

# In a script, as the inbox and the job records are written; it leaves no key.
PROBE = "redis.call('SET', KEYS[1], '1') return redis.call('DEL', KEYS[1])"
PROBE_KEY = "falhook:probe"


def probe(redis: Redis) -> None:
    """Return if Redis takes writes; else raise what redis-py raises."""
    script: Any = redis.register_script(PROBE)
    script(keys=[PROBE_KEY], args=[])


def probe_broker(connection: Connection) -> None:
    """Return if messages can be sent to the broker; else raise what its client raises.

    RabbitMQ has accepted the connection; a Redis is written to.
    """
    channel: Any = connection.default_channel
    if connection.transport.driver_type == "redis":
        with channel.conn_or_acquire() as client:
            probe(client)
