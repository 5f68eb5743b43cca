"""The queues of earlier versions, which other Celery applications may have under the same names.

Senders of falhook.create may still name them, and messages may wait in them when an old worker is
replaced. The sweep moves falhook's messages from them to falhook's own queues, and leaves those of
others, which a worker that took from such a queue would take and lose.
"""

import json
import time
from base64 import b64decode
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any, cast

from celery import Celery
from kombu import Producer
from kombu import Queue as Declaration
from kombu.transport.native_delayed_delivery import MAX_LEVEL, calculate_routing_key, level_name
from kombu.transport.redis import PRIORITY_STEPS
from redis import Redis
from redis.exceptions import ResponseError

from webhook.contract import EARLIER, Queue, Task
from webhook.log import get_logger
from webhook.redis.address import RedisAddress, is_redis
from webhook.redis.clients import client

log = get_logger()

# Messages that are looked at in each queue at a time.
LIMIT = 1_000
# Seconds after which workers of version 0.1 took a noted message for lost.
VISIBILITY_TIMEOUT = 3 * 3600
# kombu's Redis keys until version 0.1, and the separator before a priority (Channel.sep).
_UNACKED, _UNACKED_INDEX = "unacked", "unacked_index"
_SEPARATOR = "\x06\x16"
# Each moves one message, unless another process was faster. KEYS: from, to; ARGV: the message.
_MOVE = """
if redis.call('LREM', KEYS[1], -1, ARGV[1]) == 1 then
  return redis.call('LPUSH', KEYS[2], ARGV[1])
end
return 0
"""
# KEYS: hash, index, to; ARGV: tag, the message.
_RESTORE = """
redis.call('ZREM', KEYS[2], ARGV[1])
if redis.call('HDEL', KEYS[1], ARGV[1]) == 1 then
  return redis.call('LPUSH', KEYS[3], ARGV[2])
end
return 0
"""


def mover(
    app: Celery, broker_url: str, *, visibility_timeout: float = VISIBILITY_TIMEOUT
) -> Callable[[], int]:
    """Return a function that moves falhook's messages and returns how many.

    It raises the errors of the broker's client.
    """
    if not is_redis(broker_url):
        return lambda: _logged(_move_by_amqp(app))
    redis = client(
        RedisAddress.parse(broker_url),
        socket_timeout=5,
        socket_connect_timeout=2,
        health_check_interval=5,
    )

    def move() -> int:
        return _logged(_move_waiting(redis) + _restore_unacked(redis, visibility_timeout))

    return move


def _logged(moved: int) -> int:
    if moved:
        log.warning("messages.moved", messages=moved)
    return moved


def _move_waiting(redis: Redis) -> int:
    lists = {
        f"{earlier}{_SEPARATOR}{step}" if step else earlier: queue
        for queue, earlier in EARLIER.items()
        for step in PRIORITY_STEPS
    }
    with redis.pipeline(transaction=False) as pipe:
        for key in lists:
            pipe.lrange(key, -LIMIT, -1)
        found = pipe.execute(raise_on_error=False)
    move = redis.register_script(_MOVE)
    moved = 0
    for (key, queue), entries in zip(lists.items(), found, strict=True):
        if isinstance(entries, ResponseError):  # another application's key that is not a list
            continue
        for entry in reversed(entries):  # the oldest first
            if is_ours(entry):
                moved += bool(move(keys=[key, _with_priority(key, queue)], args=[entry]))
    return moved


def _with_priority(key: str, queue: Queue) -> str:
    return queue + key.removeprefix(EARLIER[queue])


def _restore_unacked(redis: Redis, visibility_timeout: float) -> int:
    """Restore messages of old workers that were killed, as kombu does after that time."""
    until = time.time() - visibility_timeout
    restore = redis.register_script(_RESTORE)
    moved = 0
    with suppress(ResponseError):  # another application's keys of another type
        tags = redis.zrange(_UNACKED_INDEX, "-inf", until, byscore=True, offset=0, num=LIMIT)
        for tag in cast(list[bytes], tags):
            entry = _unacked_entry(cast(bytes | None, redis.hget(_UNACKED, tag)))
            if entry is not None:
                message, queue = entry
                keys = [_UNACKED, _UNACKED_INDEX, queue]
                moved += bool(restore(keys=keys, args=[tag, message]))
    return moved


def _unacked_entry(noted: bytes | None) -> tuple[str, Queue] | None:
    """Return message and queue of kombu's note [message, exchange, routing key], if it is ours."""
    try:
        match json.loads(noted or b""):
            case [dict() as message, _, str(key)]:
                text = json.dumps(message)
                queues = [queue for queue in Queue if key in {queue, EARLIER[queue]}]
                return (text, queues[0]) if queues and is_ours(text) else None
    except (ValueError, RecursionError):
        pass
    return None


def is_ours(entry: bytes | str) -> bool:
    """Return whether an entry of a list is a message for one of falhook's tasks."""
    try:
        match json.loads(entry):
            case {"headers": {"task": str(task)}}:
                return task in set(Task)
            case {"body": str(body)}:
                match json.loads(b64decode(body)):
                    case {"task": str(task)}:
                        return task in set(Task)
    except (ValueError, RecursionError):
        pass
    return False


def _move_by_amqp(app: Celery) -> int:
    """Take messages from the earlier queues that exist, and send them to falhook's own queues.

    A message of another application ends it: it is put back where it was.
    """
    moved = 0
    with app.connection_for_write() as connection:
        for queue, earlier in EARLIER.items():
            own = app.amqp.queues[queue]
            # The one that senders name is a classic queue on RabbitMQ, unlike our own.
            for name in (earlier, *([queue] if queue != own.name else [])):
                # One channel each: the refusal of a queue that does not exist closes it.
                channel: Any = connection.channel()
                with suppress(*connection.channel_errors), channel:
                    channel.queue_declare(queue=name, passive=True)
                    while moved < LIMIT and _move_one(channel, name, own):
                        moved += 1
    return moved


def _move_one(channel: Any, earlier: str, queue: Declaration) -> bool:
    message = Declaration(earlier, channel=channel).get(no_ack=False)
    if message is None:
        return False
    if message.headers.get("task") not in set(Task):
        message.requeue()
        return False
    seconds = _seconds_left(message.headers.get("eta")) if queue.queue_arguments else 0
    exchange, routing_key = _destination(queue, seconds)
    Producer(channel).publish(
        message.body,
        exchange=exchange,
        routing_key=routing_key,
        declare=[queue],
        content_type=message.content_type,
        content_encoding=message.content_encoding,
        headers=message.headers,
    )
    message.ack()
    return True


def _destination(queue: Declaration, seconds: int) -> tuple[str, str]:
    """Return the exchange and the routing key of a message that is due in these seconds.

    The consumer of a quorum queue gets no other messages for those that it keeps until then.
    """
    if seconds < 1:
        return "", queue.name
    return level_name(MAX_LEVEL), calculate_routing_key(seconds, queue.routing_key)


def _seconds_left(eta: object) -> int:
    try:
        return int(datetime.fromisoformat(str(eta)).timestamp() - time.time())
    except ValueError:
        return 0
