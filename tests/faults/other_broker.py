"""A RabbitMQ beside one Redis, which can be killed."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.local.redis.server import RedisServer
from tests.factories.rabbitmq import RabbitMQ, rabbitmq


@dataclass(frozen=True, slots=True, kw_only=True)
class WithRabbitMQ:
    """A running RabbitMQ, and the Redis of the records, which is not struck."""

    redis: RedisServer
    rabbitmq: RabbitMQ

    @property
    def settings(self) -> Mapping[str, str]:
        """The settings that lead to both."""
        return {"REDIS_URL": self.redis.url, "FALHOOK_BROKER_URL": self.rabbitmq.url}

    def affects(self, job_id: str) -> bool:
        """Return True: all messages are in one broker."""
        return True

    def await_whole(self) -> None:
        """Return: `kill_primary` ends with the broker running."""

    def kill_primary(self) -> None:
        """SIGKILL the broker; return once it runs again."""
        self.rabbitmq.kill()
        self.rabbitmq.start()

    def freeze_primary(self, seconds: float) -> None:
        """Not offered: no other broker takes over."""
        raise NotImplementedError


@contextmanager
def with_rabbitmq(directory: Path, *, down_after: float) -> Iterator[WithRabbitMQ]:
    """Run both until the block ends."""
    (directory / "rabbitmq").mkdir()
    with (
        RedisServer.start(directory / "redis") as redis,
        rabbitmq(directory / "rabbitmq") as broker,
    ):
        yield WithRabbitMQ(redis=redis, rabbitmq=broker)
