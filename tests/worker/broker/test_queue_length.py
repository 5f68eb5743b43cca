"""Messages that wait, counted at a real broker."""

from webhook.contract import Queue, Task
from webhook.settings.settings import Connections
from worker.broker.client import client, waker
from worker.broker.queue_length import queue_lengths


def test_waiting_messages_are_counted(redis_url: str) -> None:
    """An empty queue has none; each message counts in its own queue."""
    app = client(Connections.from_env({"REDIS_URL": redis_url}))
    length, wake = queue_lengths(app), waker(app)
    assert 0 == length(Queue.SUBMIT)
    for number in range(3):
        wake(Task.SUBMIT, f"job-{number}")
    assert (3, 0) == (length(Queue.SUBMIT), length(Queue.MEDIA))


def test_a_broker_that_is_away_counts_as_empty() -> None:
    """Then wakes are sent, or fail, as without a count."""
    app = client(Connections.from_env({"REDIS_URL": "redis://127.0.0.1:1/0"}))
    app.conf.broker_transport_options = {**app.conf.broker_transport_options, "max_retries": 0}
    assert 0 == queue_lengths(app)(Queue.SUBMIT)
