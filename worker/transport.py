"""kombu's Redis transport without two faults that stop a worker when Redis restarts under load.

Measured with kombu 5.7: redis-server killed eight times under busy workers left workers that were
up and took nothing any more, or that exited.

1. An acknowledgement that fails because the broker is away never gives its prefetch credit back;
   once every credit is gone the worker takes nothing, silently. Here the credit is given back at
   once. The message stays in Redis as unacknowledged and comes again after the visibility
   timeout, when its job's record tells that the work is done.
2. Closing a channel reads the answer of a pending BRPOP, and the ConnectionError of that leaves
   the channel half closed. Here the connection counts as closed, as it is.

`install` puts it in place of kombu's own for redis:// and rediss:// addresses.
"""

from kombu.transport import TRANSPORT_ALIASES, redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from webhook.log import get_logger

log = get_logger()

# What a Redis that is away, hangs or restarts ends in; a busy or loading one is the first of them.
ERRORS = (RedisConnectionError, RedisTimeoutError, OSError)
HERE = f"{__name__}:Transport"


class QoS(redis.QoS):
    """Gives the credit of a message back even where Redis cannot be told."""

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge; afterwards the credit is free in any case."""
        try:
            super().ack(delivery_tag)
        except ERRORS as error:
            self._release(delivery_tag, error)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Reject; afterwards the credit is free in any case."""
        try:
            super().reject(delivery_tag, requeue=requeue)
        except ERRORS as error:
            self._release(delivery_tag, error)

    def _release(self, delivery_tag: str, error: Exception) -> None:
        log.warning("message.unacknowledged", error=type(error).__name__)
        self._quick_ack(delivery_tag)  # type: ignore[attr-defined]  # virtual.QoS's own


class Channel(redis.Channel):
    """Closes wholly, whatever the connection answers."""

    QoS = QoS

    def close(self) -> None:
        """Close; a pending BRPOP on a dead connection is no reason to stop halfway."""
        try:
            super().close()
        except ERRORS as error:
            log.warning("channel.closed", error=type(error).__name__)
            self._in_poll = None
            super().close()


class Transport(redis.Transport):
    """kombu's Redis transport with the two above."""

    Channel = Channel


def install() -> None:
    """Afterwards every redis:// and rediss:// broker of this process is reached through this.

    To be called before the first connection, since kombu keeps the classes it has looked up.
    """
    TRANSPORT_ALIASES.update({"redis": HERE, "rediss": HERE})
