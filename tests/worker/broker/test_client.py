"""Messages only wake workers: sending is bounded in time, and a loss raises no error."""

import socket
import time

import pytest
from kombu import Connection

from webhook.contract import ROUTES, Task
from webhook.settings.settings import Connections
from worker.broker.client import client, waker


def connections(url: str) -> Connections:
    """Return settings with this Redis."""
    return Connections.from_env({"REDIS_URL": url})


def test_a_wake_is_sent_to_the_queue_of_its_task(redis_url: str) -> None:
    """Each task's message goes to its own queue and contains only the job id."""
    app = client(connections(redis_url))
    wake = waker(app)
    with Connection(redis_url) as connection:
        for task in (Task.SUBMIT, Task.DOWNLOAD, Task.TRANSCODE_TAG, Task.PUBLISH):
            wake(task, "job1")
            with connection.SimpleQueue(ROUTES[task]) as queue:
                message = queue.get(timeout=5)
                assert (task, [["job1"], {}]) == (message.headers["task"], message.payload[:2])
                message.ack()
    app.close()


@pytest.mark.parametrize("silent", [True, False])
def test_an_unavailable_broker_costs_seconds_and_no_exception(silent: bool) -> None:
    """If the broker refuses, or accepts and never answers, a wake gives up soon without raising."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if not silent:
            server.close()
        app = client(connections(f"redis://127.0.0.1:{port}/0"))
        began = time.monotonic()
        waker(app)(Task.SUBMIT, "job1")
        assert time.monotonic() - began < 25
        app.close()
