"""kombu's Redis transport without faults that stop a worker when Redis restarts or is full.

Measured with kombu 5.7: redis-server killed eight times under busy workers left workers that were
up and took nothing any more, or that exited.

1. An acknowledgement that fails because the broker is away never gives its prefetch credit back;
   once every credit is gone the worker takes nothing, silently. Here the credit is given back at
   once. The message stays in Redis as unacknowledged and comes again after the visibility
   timeout, when its job's record tells that the work is done.
2. Closing a channel reads the answer of a pending BRPOP, and the ConnectionError of that leaves
   the channel half closed. Here the connection counts as closed, as it is.
3. A full Redis (OOM) refuses what kombu writes to note, acknowledge or restore a message, and each
   of these ends the worker; a message taken meanwhile is lost with it. Here the worker goes on,
   with such a message in its memory alone.

`install` puts it in place of kombu's own for redis:// and rediss:// addresses.
"""

from kombu.message import Message
from kombu.transport import TRANSPORT_ALIASES, redis, virtual
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError
from redis.exceptions import TimeoutError as RedisTimeoutError

from webhook.log import get_logger

log = get_logger()

# What a Redis that is away, full, hangs or restarts ends in; a busy or loading one is the first
# of them.
ERRORS = (RedisConnectionError, RedisTimeoutError, OutOfMemoryError, OSError)
HERE = f"{__name__}:Transport"


class QoS(redis.QoS):
    """Gives the credit of a message back even where Redis cannot be told, or is full."""

    def append(self, message: Message, delivery_tag: str) -> None:
        """Note a message as taken; where Redis has no room for that, in memory."""
        try:
            super().append(message, delivery_tag)
        except OutOfMemoryError as error:
            log.warning("message.unnoted", error=type(error).__name__)
            virtual.QoS.append(self, message, delivery_tag)

    def restore_visible(self, start: int = 0, num: int = 10, interval: int = 10) -> None:
        """Bring messages of workers that died back; where Redis has no room, a later time."""
        try:
            super().restore_visible(start, num, interval)
        except OutOfMemoryError as error:
            log.warning("messages.unrestored", error=type(error).__name__)

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
