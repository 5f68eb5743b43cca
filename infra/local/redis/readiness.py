"""Waiting for the first answer of a Redis that was just started."""

from __future__ import annotations

import subprocess
import time

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

_PAUSE_SECONDS = 0.02
_PING_SECONDS = 0.2  # a stranger on the port may never answer, while our server has given up


def answers(url: str, process: subprocess.Popen[bytes], *, within: float) -> bool:
    """Wait until the server that `process` is answers at `url`.

    Returns False when it has ended instead; one that takes more than `within` seconds is killed.
    """
    deadline = time.monotonic() + within
    once = Retry(NoBackoff(), 0)
    with redis.Redis.from_url(url, socket_timeout=_PING_SECONDS, retry=once) as client:
        while not _is_ready(client):
            if time.monotonic() > deadline:
                process.kill()
                process.wait()
            try:
                process.wait(_PAUSE_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            return False
    return True


def _is_ready(client: redis.Redis) -> bool:
    """Say whether our own server is ready.

    No listener, still loading, or a stranger that refuses our password: not ours, or not yet.
    """
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
