"""kombu's Redis transport without defects that stop a worker when Redis or a message is bad.

Measured with kombu 5.7: after redis-server was killed eight times under busy workers, some workers
had exited, and some ran but took no more messages.

1. An acknowledgement that fails because the broker is away never returns its prefetch credit.
   Once no credit is left the worker takes no message, silently. Here the credit is returned
   immediately. The message stays in Redis as unacknowledged and is delivered again after the
   visibility timeout, when its job's record says that the work is done.
2. Closing a channel reads the answer of a pending BRPOP, and a ConnectionError there leaves the
   channel half closed. Here the channel is closed completely.
3. A Redis that is full or away refuses what kombu writes to note, acknowledge or restore a message.
   Each of these ends the worker, and a message taken meanwhile is lost. Here the worker continues,
   with such a message only in its memory.
4. Noting a taken message and its acknowledgement take four commands of the eight that a message
   costs. Messages that only wake are not noted: after a kill the sweep wakes their steps anyway.
   Notes of the others are renewed, so that those of a killed worker come back within minutes.
5. An entry of a queue that is not a message ends the worker: the error looks like one of the
   program. Here it is rejected (worker/broker/envelope.py).

webhook/redis/transport.py has what the receiver needs too.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty
from time import time
from typing import Any, cast

from kombu.message import Message
from kombu.transport import virtual
from kombu.transport.redis import QoS as KombuQoS
from kombu.utils.encoding import bytes_to_str
from redis.exceptions import RedisError

from webhook.contract import Task
from webhook.log import get_logger
from webhook.redis import transport
from webhook.redis.errors import FULL, refusal
from webhook.redis.probe import probe
from worker.broker.envelope import InvalidMessage, parse_envelope
from worker.broker.rejections import log_rejection

log = get_logger()

# The errors of a Redis that is away, full, hangs, restarts or refuses.
ERRORS = (RedisError, OSError)
SCHEME = "falhook-worker"


# Messages that only wake: the record, its timer and the inbox bring their work back (sweep.py).
WAKES = frozenset(Task) - {Task.CREATE}


def only_wakes(message: Message | None) -> bool:
    """Return whether nothing is lost with the message."""
    headers = message.headers if message is not None else None
    name = headers.get("task") if isinstance(headers, dict) else None
    return isinstance(name, str) and name in WAKES


class QoS(KombuQoS):
    """A QoS that returns the credit of a message even if Redis is away or full.

    It notes only messages that carry something as taken; the others are in its memory alone.
    """

    @contextmanager
    def pipe_or_acquire(self, pipe: Any = None, client: Any = None) -> Iterator[Any]:
        """Yield `pipe`, or one that sends its commands together, without MULTI and EXEC.

        kombu notes and acknowledges a message with two commands each; the other two would double
        what a busy Redis has to do. The order of the two is such that a Redis that dies between
        them leaves an entry that is removed, or has no effect.
        """
        if pipe:
            yield pipe
            return
        channel: Any = self.channel
        with channel.conn_or_acquire(client) as acquired:
            yield acquired.pipeline(transaction=False)

    def append(self, message: Message, delivery_tag: str) -> None:
        """Note a message as taken; one that only wakes, or if Redis is full, only in memory."""
        if only_wakes(message):
            virtual.QoS.append(self, message, delivery_tag)
            return
        try:
            super().append(message, delivery_tag)
        except ERRORS as error:
            log.warning("message.unnoted", error=error)
            virtual.QoS.append(self, message, delivery_tag)

    def restore_visible(self, start: int = 0, num: int = 10, interval: int = 10) -> None:
        """Renew the notes of this worker, then restore the messages of dead workers.

        If Redis is full or away, at a later time. Called every `unacked_restore_interval` seconds.
        """
        try:
            self._renew()
            super().restore_visible(start, num, interval)
        except ERRORS as error:
            log.warning("messages.unrestored", error=error)

    def _renew(self) -> None:
        # However long a message is held, for its countdown too, it is not delivered again: a
        # worker's death shows within the visibility timeout, which may be short.
        held = [tag for tag, message in list(self._in_memory().items()) if not only_wakes(message)]
        if not held:
            return
        channel: Any = self.channel
        with channel.conn_or_acquire() as redis:
            # Only those that are there: an acknowledged one must not come back.
            redis.zadd(channel.unacked_index_key, dict.fromkeys(held, time()), xx=True)

    def restore_by_tag(self, tag: str, client: object = None, leftmost: bool = False) -> None:
        """Restore one message; an entry that is not a message is removed instead."""
        try:
            super().restore_by_tag(tag, client, leftmost)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            channel: Any = self.channel
            log_rejection(channel.unacked_key, type(error).__name__)
            self._remove_from_indices(tag).execute()  # type: ignore[attr-defined]

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge; return the credit in any case."""
        if self._only_wakes(delivery_tag):
            virtual.QoS.ack(self, delivery_tag)
            return
        try:
            super().ack(delivery_tag)
        except ERRORS as error:
            self._release(delivery_tag, error)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Reject; return the credit in any case."""
        if self._only_wakes(delivery_tag):
            virtual.QoS.reject(self, delivery_tag, requeue=requeue)
            return
        try:
            super().reject(delivery_tag, requeue=requeue)
        except ERRORS as error:
            self._release(delivery_tag, error)

    def restore_unacked(self, client: Any = None) -> None:
        """Put every message that was not acknowledged back into its queue."""
        channel: Any = self.channel
        for message in self._in_memory().values():
            if only_wakes(message):
                channel._restore(message)  # noqa: SLF001  # as kombu does
        super().restore_unacked(client)

    def _only_wakes(self, delivery_tag: str) -> bool:
        return only_wakes(self._in_memory().get(delivery_tag))

    def _in_memory(self) -> dict[str, Message]:
        return cast(dict[str, Message], self._delivered)

    def _release(self, delivery_tag: str, error: Exception) -> None:
        log.warning("message.unacknowledged", error=error)
        self._quick_ack(delivery_tag)  # type: ignore[attr-defined]  # virtual.QoS's own


class Channel(transport.Channel):
    """A channel that takes only messages, and closes completely whatever its connection answers."""

    QoS = QoS
    # kombu has no hints for these.
    client: Any
    connection: Any
    connection_errors: tuple[type[BaseException], ...]
    _queue_cycle: Any
    _flush_brpop_reauth: Callable[[], None]

    def _brpop_read(self, **options: Any) -> bool:
        """Deliver the message of a pending BRPOP. Raises Empty if no BRPOP is pending.

        kombu's method, except that an entry which is not a message is rejected.
        """
        try:
            popped = self._popped(options)
            if not popped:
                raise Empty
            key, entry = popped
            queue = bytes_to_str(key).rsplit(self.sep, 1)[0]
            self._queue_cycle.rotate(queue)
            self._deliver(queue, entry)
            return True
        finally:
            self._in_poll = None
            self._flush_brpop_reauth()

    def _popped(self, options: dict[str, Any]) -> tuple[bytes, bytes] | None:
        try:
            popped: tuple[bytes, bytes] | None = self.client.parse_response(
                self.client.connection, "BRPOP", **options
            )
        except self.connection_errors:
            # The next round connects again.
            self.client.connection.disconnect()
            raise
        return popped

    def _deliver(self, queue: str, entry: bytes) -> None:
        try:
            message = parse_envelope(entry, queue)
        except InvalidMessage as invalid:
            log_rejection(queue, invalid.reason, size=len(entry))
        else:
            self.connection._deliver(message, queue)  # noqa: SLF001  # as kombu does here

    def _restore(self, message: Message, leftmost: bool = False) -> None:
        """Put a message that was not acknowledged back into its queue."""
        if only_wakes(message):
            put_back: Callable[..., object] = virtual.Channel._restore  # noqa: SLF001  # for memory
            put_back(self, message)
        else:
            super()._restore(message, leftmost)  # type: ignore[call-arg]

    def close(self) -> None:
        """Close, even with a pending BRPOP on a dead connection."""
        try:
            super().close()
        except ERRORS as error:
            log.warning("channel.closed", error=error)
            self._in_poll = None
            super().close()


class Transport(transport.Transport):
    """kombu's Redis transport with the channel and QoS of this module."""

    _avail_channels: list[Any]

    Channel = Channel

    def establish_connection(self) -> Any:
        """Connect. Raises what redis-py raises if Redis takes no writes, full Redis excepted.

        BRPOP is a write: on a replica the worker would connect and fail several times a second.
        """
        connection: Any = super().establish_connection()
        try:
            with self._avail_channels[-1].conn_or_acquire() as client:
                probe(client)
        except ERRORS as error:
            if refusal(error) != FULL:
                self.close_connection(connection)
                raise
        return connection


transport.register(SCHEME, f"{__name__}:Transport")
