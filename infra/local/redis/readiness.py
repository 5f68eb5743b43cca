"""The wait for the first response of a Redis that was just started."""

import subprocess
import time

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

_PAUSE_SECONDS = 0.02
_PING_SECONDS = 0.2  # another server on the port may never answer; ours has ended then


def wait_until_ready(url: str, process: subprocess.Popen[bytes], *, within: float) -> bool:
    """Wait until the server `process` answers at `url`.

    Return False if it has ended instead. Kill it after `within` seconds.
    """
    deadline = time.monotonic() + within
    no_retries = Retry(NoBackoff(), 0)
    with redis.Redis.from_url(url, socket_timeout=_PING_SECONDS, retry=no_retries) as client:
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
    """Return whether our own server is ready.

    It is not if nothing listens, if it is still loading its data, or if another server on the port
    refuses our password.
    """
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
