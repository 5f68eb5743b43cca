"""Workers as processes: the queues that they announce, and their log when Redis goes away."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from celery import Celery

from infra.local.redis.server import RedisServer
from tests import ROOT
from tests.bench.programs import environment
from webhook.contract import EARLIER, Queue
from webhook.settings.settings import Connections
from worker.broker.client import client
from worker.broker.heartbeats import queues_served, workers_seen

WORKER = ("-m", "celery", "--quiet", "-A", "worker.celery", "worker", "-P", "threads", "-c", "1")
QUEUES = frozenset({Queue.SUBMIT, Queue.MEDIA})

Start = Callable[[RedisServer], None]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The file for the worker's whole output."""
    return tmp_path / "worker.log"


@pytest.fixture
def start(tmp_path: Path, log: Path) -> Iterator[Start]:
    """Start a worker of two queues, by their earlier names; its own name contains neither."""
    with ExitStack() as running:

        def start(redis: RedisServer) -> None:
            output = running.enter_context(log.open("wb"))
            worker = subprocess.Popen(
                [
                    sys.executable,
                    *WORKER,
                    "-Q",
                    ",".join(EARLIER[queue] for queue in QUEUES),
                    "-n",
                    "any@%h",
                ],
                cwd=ROOT,
                env=environment(redis.url, "https://rest.fal.ai/keys", tmp_path / "storage"),
                stderr=output,
            )
            running.callback(worker.wait, 30)
            running.callback(worker.terminate)

        yield start


def served(redis: RedisServer, wanted: frozenset[str], seconds: float) -> set[str]:
    """Return those of the `wanted` queues that a worker serves."""
    app = client(Connections.from_env({"REDIS_URL": redis.url}))
    return queues_served(app, wanted, seconds=seconds)


@pytest.mark.usefixtures("redis_url")
def test_workers_announce_their_queues(redis_server: RedisServer, start: Start) -> None:
    """A worker announces the queues that it serves, and no others."""
    start(redis_server)
    assert QUEUES == served(redis_server, QUEUES, seconds=60)
    assert set() == served(redis_server, frozenset({Queue.CALLBACKS, Queue.PUBLISH}), seconds=2.5)


def heard_by(app: Celery) -> set[str]:
    """Return the workers whose heartbeats an application hears."""
    hosts: list[str] = []
    with app.connection_for_read() as connection:
        handlers = {"worker-heartbeat": lambda event: hosts.append(event["hostname"])}
        app.events.Receiver(connection, handlers=handlers).capture(
            limit=4, timeout=20, wakeup=False
        )
    return set(hosts)


def test_others_at_the_same_broker_are_not_heard(redis_server: RedisServer) -> None:
    """Another Celery application hears no event of ours, and we hear none of its."""
    ours = client(Connections.from_env({"REDIS_URL": redis_server.url}))
    apps = {"ours": ours, "other": Celery("other", broker=redis_server.url)}
    with ExitStack() as stack:
        beats = [
            stack.enter_context(
                app.events.Dispatcher(
                    stack.enter_context(app.connection_for_write()), hostname=f"{name}@host"
                )
            )
            for name, app in apps.items()
        ]
        stopped = threading.Event()

        def beat() -> None:
            while not stopped.wait(0.05):
                for dispatcher in beats:
                    dispatcher.send("worker-heartbeat")

        thread = threading.Thread(target=beat)
        thread.start()
        stack.callback(thread.join)
        stack.callback(stopped.set)
        assert {"other@host"} == heard_by(apps["other"])
        assert ["ours@host"] == [
            worker.name for worker in workers_seen(ours, seconds=20, enough=bool)
        ]


@pytest.mark.usefixtures("redis_url")  # an empty Redis, which knows no storage
def test_a_worker_is_described(redis_server: RedisServer, start: Start) -> None:
    """Its heartbeat has its name, its process, its clock and its secret's fingerprint."""
    start(redis_server)
    app = client(Connections.from_env({"REDIS_URL": redis_server.url}))
    [worker] = workers_seen(app, seconds=60, enough=bool)
    assert ("any", True, 16) == (worker.name.partition("@")[0], worker.pid > 0, len(worker.secret))
    assert abs(worker.ahead) < 2


def test_a_lost_connection_is_logged_without_celerys_notice(
    tmp_path: Path, start: Start, log: Path
) -> None:
    """The worker logs the lost connection, but not Celery's notice of a future change."""
    with RedisServer.start(tmp_path / "redis") as redis:
        start(redis)
        assert QUEUES == served(redis, QUEUES, seconds=60)
        redis.kill()
        redis.restart()
        assert QUEUES == served(redis, QUEUES, seconds=60)
    assert "Connection to broker lost" in log.read_text()
    assert "In Celery 5.1" not in log.read_text()
