"""Has a worker or a beat of Celery note its beats: in its own loop, and in its pool's threads."""

import socket
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from celery import Celery
from celery.signals import (
    beat_init,
    celeryd_after_setup,
    task_postrun,
    task_prerun,
    worker_shutdown,
    worker_shutting_down,
)
from redis.exceptions import RedisError

from worker.broker.consumer import Consumer
from worker.liveness.beats import EVERY, MOST, Beats

# Seconds between two questions to Redis.
_ASK = 10.0


def connect(
    beats: Beats, app: Celery, *, most: Mapping[str, float], ping: Callable[[], object]
) -> None:
    """Have this process note its beats, if anybody looks at them.

    `most` are the seconds that one message of a task may take; `ping` asks the Redis of the
    records, and raises what redis-py raises.
    """
    if not beats.wanted:
        return
    app.conf.worker_consumer = partial(Consumer, turned=beats.turn, every=EVERY)

    def begin(sender: Any, **_: object) -> None:
        beats.begin(sender.name, most.get(sender.name, MOST))

    def begin_worker(sender: str, **_: object) -> None:
        _begin(beats, sender, ping)

    def begin_beat(sender: Any, **_: object) -> None:
        _begin(beats, f"beat@{socket.gethostname()}", ping)
        _watch_scheduler(sender.scheduler, beats)

    task_prerun.connect(begin, weak=False)
    task_postrun.connect(lambda **_: beats.end(), weak=False)
    celeryd_after_setup.connect(begin_worker, weak=False)
    worker_shutting_down.connect(lambda **_: beats.stop(), weak=False)
    worker_shutdown.connect(lambda **_: beats.remove(), weak=False)
    beat_init.connect(begin_beat, weak=False)


def _begin(beats: Beats, process: str, ping: Callable[[], object]) -> None:
    beats.name(process)
    ask = partial(_ask_redis, beats, ping)
    threading.Thread(target=ask, name="redis-seen", daemon=True).start()


def _ask_redis(beats: Beats, ping: Callable[[], object]) -> None:
    """Ask Redis now and then, for as long as the process runs: whether it is ready, not alive."""
    pause = threading.Event()
    while True:
        try:
            ping()
        except (RedisError, OSError):
            pass
        else:
            beats.redis_answered()
        pause.wait(_ASK)


def _watch_scheduler(scheduler: Any, beats: Beats) -> None:
    """Have beat's loop note its turns, also those in which it waits for the broker."""
    tick, send = scheduler.tick, scheduler.apply_async
    open_connection = scheduler.connection.ensure_connection

    def turn(*args: Any, **options: Any) -> object:
        beats.turn(broker=False)
        return tick(*args, **options)

    def sent(*args: Any, **options: Any) -> object:
        result = send(*args, **options)
        beats.turn(broker=True)
        return result

    scheduler.tick = turn
    scheduler.apply_async = sent
    scheduler.connection.ensure_connection = partial(
        open_connection, callback=partial(beats.turn, broker=False)
    )
