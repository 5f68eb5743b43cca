"""Celery's declarations of falhook's queues: lists on Redis, quorum queues on RabbitMQ.

A quorum queue is kept by a majority of RabbitMQ's nodes: https://www.rabbitmq.com/docs/quorum-queues
"""

from kombu import Exchange, Queue

from webhook.redis.address import is_redis

_QUORUM = {
    "x-queue-type": "quorum",
    # RabbitMQ 4 discards a message after 20 deliveries. A worker that is killed again and again has
    # not refused its messages.
    "x-delivery-limit": 1_000_000,
    # In milliseconds, longer than any step: RabbitMQ closes the channel of a worker that does not
    # acknowledge within half an hour.
    "x-consumer-timeout": 3 * 3600 * 1000,
}


def declared_queue(broker_url: str, name: str, *, alias: str) -> Queue:
    """Return the declaration of falhook's queue `name`, which `alias` names too.

    On RabbitMQ its own name is another: a queue never changes its type, and a Celery client that
    sends to `name` declares that as a classic one. A topic exchange is what Celery's delays need.
    """
    if is_redis(broker_url):
        return Queue(name, Exchange(name), routing_key=name, alias=alias)
    own = f"{name}.quorum"
    exchange = Exchange(own, type="topic")
    return Queue(own, exchange, routing_key=name, alias=alias, queue_arguments=dict(_QUORUM))
