"""kombu's Redis transport without defects that stop a worker when Redis restarts or is full.

Measured with kombu 5.7: after redis-server was killed eight times under busy workers, some workers
had exited, and some ran but took no more messages.

1. An acknowledgement that fails because the broker is away never returns its prefetch credit.
   Once no credit is left the worker takes no message, silently. Here the credit is returned
   immediately. The message stays in Redis as unacknowledged and is delivered again after the
   visibility timeout, when its job's record says that the work is done.
2. Closing a channel reads the answer of a pending BRPOP, and a ConnectionError there leaves the
   channel half closed. Here the channel is closed completely.
3. A full Redis (OOM) refuses what kombu writes to note, acknowledge or restore a message. Each of
   these ends the worker, and a message taken meanwhile is lost. Here the worker continues, with
   such a message only in its memory.

`install` replaces kombu's own transport for redis:// and rediss:// URLs.
"""

from kombu.message import Message
from kombu.transport import TRANSPORT_ALIASES, redis, virtual
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError
from redis.exceptions import TimeoutError as RedisTimeoutError

from webhook.log import get_logger

log = get_logger()

# The errors of a Redis that is away, full, hangs or restarts; a busy or loading one raises the
# first of them.
ERRORS = (RedisConnectionError, RedisTimeoutError, OutOfMemoryError, OSError)
HERE = f"{__name__}:Transport"


class QoS(redis.QoS):
    """A QoS that returns the credit of a message even if Redis is away or full."""

    def append(self, message: Message, delivery_tag: str) -> None:
        """Note a message as taken; if Redis is full, only in memory."""
        try:
            super().append(message, delivery_tag)
        except OutOfMemoryError as error:
            log.warning("message.unnoted", error=type(error).__name__)
            virtual.QoS.append(self, message, delivery_tag)

    def restore_visible(self, start: int = 0, num: int = 10, interval: int = 10) -> None:
        """Restore the messages of dead workers; if Redis is full, at a later time."""
        try:
            super().restore_visible(start, num, interval)
        except OutOfMemoryError as error:
            log.warning("messages.unrestored", error=type(error).__name__)

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge; return the credit in any case."""
        try:
            super().ack(delivery_tag)
        except ERRORS as error:
            self._release(delivery_tag, error)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Reject; return the credit in any case."""
        try:
            super().reject(delivery_tag, requeue=requeue)
        except ERRORS as error:
            self._release(delivery_tag, error)

    def _release(self, delivery_tag: str, error: Exception) -> None:
        log.warning("message.unacknowledged", error=type(error).__name__)
        self._quick_ack(delivery_tag)  # type: ignore[attr-defined]  # virtual.QoS's own


class Channel(redis.Channel):
    """A channel that closes completely, whatever its connection answers."""

    QoS = QoS

    def close(self) -> None:
        """Close, even with a pending BRPOP on a dead connection."""
        try:
            super().close()
        except ERRORS as error:
            log.warning("channel.closed", error=type(error).__name__)
            self._in_poll = None
            super().close()


class Transport(redis.Transport):
    """kombu's Redis transport with the channel and QoS of this module."""

    Channel = Channel


def install() -> None:
    """Use this transport for every redis:// and rediss:// broker of this process.

    Call it before the first connection, because kombu caches the classes that it looks up.
    """
    TRANSPORT_ALIASES.update({"redis": HERE, "rediss": HERE})
