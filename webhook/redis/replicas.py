"""The replicas of a server that have to confirm a write, by what the server itself answers.

WAIT waits for them, ROLE lists those that are connected. https://redis.io/docs/latest/commands/role/
"""

import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from redis.exceptions import RedisError

# Milliseconds in which all replicas must have the write. They have it within one or two, unless
# one of them hangs: then nothing is gained by waiting longer.
WAIT = 500
# Seconds for which a primary without replicas is suspected of having lost them to another one.
SUSPECTED = 60.0

Argument: TypeAlias = str | bytes | float


class Unconfirmed(RedisError):
    """Redis has made the write, but not every replica has confirmed it."""


class AskAgain(Unconfirmed):
    """WAIT asked for another number of replicas than is now known to be needed."""


class Replicas:
    """The replicas of one server, as its last answer counted them; `least` are required always.

    A server that is `doubted` may have lost its replicas before its first answer. `clock` is
    monotonic seconds.
    """

    def __init__(
        self,
        least: int = 0,
        *,
        doubted: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._least = least
        self._clock = clock
        self._online = 0
        self._suspected_until = clock() + SUSPECTED if doubted else float("-inf")

    @property
    def commands(self) -> Sequence[tuple[Argument, ...]]:
        """The commands that follow a write on its connection; `confirm` takes their answers."""
        role: tuple[Argument, ...] = ("ROLE",)
        return (("WAIT", self.wanted, WAIT), role) if self.wanted else (role,)

    @property
    def wanted(self) -> int:
        """How many replicas must confirm."""
        suspected = 1 if self._clock() < self._suspected_until else 0
        return max(self._least, self._online, suspected)

    @property
    def only_suspected(self) -> bool:
        """Whether a replica is required only because one may have been elected unnoticed."""
        return not (self._least or self._online) and bool(self.wanted)

    def trust(self) -> None:
        """Require no replica of a server that has none: none was elected in its place."""
        self._suspected_until = float("-inf")

    def confirm(self, answers: Sequence[object]) -> None:
        """Return if all replicas have the write; learn how many there are.

        Raises Unconfirmed if they have it not, and what Redis answered in place of the number.
        """
        *waited, role = answers
        acknowledged = waited[0] if waited else 0
        asked = self.wanted if waited else 0
        if isinstance(acknowledged, Exception):
            raise acknowledged
        self._online = _online(role)
        if self._online:
            self._suspected_until = self._clock() + SUSPECTED
        if int(str(acknowledged)) < self.wanted:
            words = f"fewer than {self.wanted} replicas confirmed the write within {WAIT} ms"
            raise (AskAgain if self.wanted > asked else Unconfirmed)(words)


def _online(role: object) -> int:
    """Return how many replicas ROLE lists; 0 for a user that may not ask, and for a replica."""
    if not isinstance(role, list) or role[0] not in {b"master", "master"}:
        return 0
    return len(role[2])


class Servers:
    """The replicas of each server, by its name."""

    def __init__(self, *, least: int, doubted: bool) -> None:
        self._least = least
        self._doubted = doubted
        self._known: dict[str, Replicas] = {}

    def __getitem__(self, name: str) -> Replicas:
        if name not in self._known:
            self._known[name] = Replicas(self._least, doubted=self._doubted)
        return self._known[name]
