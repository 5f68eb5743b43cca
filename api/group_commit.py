"""Commands that arrive together go to Redis together, and share a write to its disk.

A lone command is sent at once. Those that come while it is on its way are the next group. Each is
answered once every replica has what it wrote.
"""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from redis import asyncio as aio
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.exceptions import RedisError

from webhook.redis.replicas import Argument, AskAgain, Replicas
from webhook.redis.standing_connection import StandingConnection

# Commands of one group: a creation has some 15 KB.
MOST = 128
# The first tries may learn of a replica.
_TRIES = 3


class Answer(NamedTuple):
    """The answer to a command, and why not every replica has what it wrote, if that is so."""

    value: object
    unconfirmed: RedisError | None


class _Waiting(NamedTuple):
    command: Sequence[Argument]
    answered: "asyncio.Future[Answer]"


class GroupCommit:
    """Sends commands to one server, not to a cluster; used in the event loop alone."""

    def __init__(self, redis: aio.Redis) -> None:
        pool = redis.connection_pool
        self._connection = StandingConnection(pool)
        # Behind sentinels there must be one at least.
        self._replicas = Replicas(1 if isinstance(pool, SentinelConnectionPool) else 0)
        self._waiting: list[_Waiting] = []
        self._sending: asyncio.Task[None] | None = None

    async def run(self, command: Sequence[Argument]) -> Answer:
        """Return the answer to a command, which may run more than once.

        Raises the error that is its answer, and what redis-py raises: it may have run all the same.
        """
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(command, answered))
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send())
        return await answered

    async def _send(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            try:
                answers, unconfirmed = await self._ask([each.command for each in group])
            except Exception as error:  # noqa: BLE001  # every caller needs an answer
                # Those that wait fail too: each would wait for the same server.
                group, self._waiting = [*group, *self._waiting], []
                answers, unconfirmed = [error] * len(group), None
            for each, answer in zip(group, answers, strict=True):
                _settle(each.answered, answer, unconfirmed)

    async def _ask(
        self, commands: Sequence[Sequence[Argument]]
    ) -> tuple[Sequence[object], RedisError | None]:
        unconfirmed: RedisError | None = None
        for _ in range(_TRIES):
            sent = [*commands, *self._replicas.commands]
            answered = await self._connection.ask(sent)
            answers = answered[: len(commands)]
            try:
                self._replicas.confirm(answered[len(commands) :])
            except AskAgain as error:
                unconfirmed = error
                continue
            except RedisError as error:
                return answers, error
            return answers, None
        return answers, unconfirmed


def _settle(
    answered: "asyncio.Future[Answer]", answer: object, unconfirmed: RedisError | None
) -> None:
    # A cancelled request: its client hung up, or the server is shutting down.
    if answered.done():
        return
    if isinstance(answer, Exception):
        answered.set_exception(answer)
    else:
        answered.set_result(Answer(answer, unconfirmed))
