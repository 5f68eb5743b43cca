"""What a deployment of Redis has to offer to be struck again and again."""

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from infra.local.redis.server import RedisServer


class Deployment(Protocol):
    """Servers of which another takes over from one that is killed or frozen."""

    @property
    def settings(self) -> Mapping[str, str]:
        """REDIS_URL, and FALHOOK_BROKER_URL if the broker is another."""

    def affects(self, job_id: str) -> bool:
        """Return whether the last strike was at the server of this job."""

    def await_whole(self) -> None:
        """Return once every primary has all its replicas."""

    def kill_primary(self) -> None:
        """SIGKILL a primary; return once it has a successor, with the killed one started again."""

    def freeze_primary(self, seconds: float) -> None:
        """SIGSTOP a primary for these seconds, in which it gets a successor; then it resumes."""


@contextmanager
def frozen(server: RedisServer) -> Iterator[None]:
    """SIGSTOP a server during the block."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)
