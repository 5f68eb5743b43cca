"""The real worker, which also notes when each ingest began: `celery -A tests.bench.worker`."""

import os
import time
from typing import Any

from celery.signals import task_prerun
from redis import Redis

from tests.bench.worker_notes import STARTED
from webhook.contract import Task
from worker.celery import app

_redis = Redis.from_url(os.environ["REDIS_URL"])


@task_prerun.connect
def _note(*, task: Any, args: Any, **_: object) -> None:
    if task.name == Task.INGEST:
        now = time.time()
        _redis.hset(STARTED, mapping=dict.fromkeys(args[0], now))


__all__ = ("app",)
