"""Strikes: random faults while the load runs."""

import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.faults.system import StormSystem
from tests.faults.waiting import checking, pause

Strike = Callable[[StormSystem, random.Random], bool]


def _kill(name: str) -> Strike:
    return lambda system, _rng: system.kill(name)


def _deploy(system: StormSystem, rng: random.Random) -> bool:
    return system.kill(rng.choice(("submit", "callbacks", "media", "publish")), signal.SIGTERM)


def _redis_killed(system: StormSystem, rng: random.Random) -> bool:
    system.redis.kill()
    pause(rng.uniform(0.1, 2.0))
    system.redis.restart()
    return True


def _redis_frozen(system: StormSystem, rng: random.Random) -> bool:
    os.kill(system.redis.pid, signal.SIGSTOP)
    try:
        pause(rng.uniform(0.5, 6.0))
    finally:
        os.kill(system.redis.pid, signal.SIGCONT)
    return True


def _keys_unavailable(system: StormSystem, rng: random.Random) -> bool:
    system.fal("POST", "/_sim/jwks?status=503")
    pause(rng.uniform(0.5, 2.0))
    system.fal("POST", "/_sim/jwks?status=200")
    return True


def _keys_rotated(system: StormSystem, _rng: random.Random) -> bool:
    system.fal("POST", "/_sim/keys/rotate?keep=1")
    return True


# By name: relative frequency and function, which returns False if there was nothing to strike.
STRIKES: dict[str, tuple[int, Strike]] = {
    "submit worker killed": (8, _kill("submit")),
    "callbacks worker killed": (6, _kill("callbacks")),
    "media worker killed": (4, _kill("media")),
    "publish worker killed": (6, _kill("publish")),
    "ffmpeg killed": (4, lambda system, _rng: system.kill_child("media")),
    "beat killed": (2, _kill("beat")),
    "receiver killed": (4, _kill("web")),
    "worker stopped by SIGTERM": (4, _deploy),
    "Redis killed and restarted": (6, _redis_killed),
    "Redis frozen": (2, _redis_frozen),
    "connections to Redis cut": (5, lambda system, _rng: system.proxy.cut() > 0),
    "connections to Redis half-open": (2, lambda system, _rng: system.proxy.abandon() > 0),
    "fal's keys unavailable": (1, _keys_unavailable),
    "fal's keys rotated": (1, _keys_rotated),
}


@dataclass(slots=True, kw_only=True)
class Storm:
    """Random strikes, a few seconds apart."""

    system: StormSystem
    rng: random.Random
    calm: float  # the most seconds between two strikes
    struck: Counter[str] = field(default_factory=Counter)
    failure: Exception | None = None
    _over: threading.Event = field(default_factory=threading.Event)

    def _run(self) -> None:
        weights = [weight for weight, _ in STRIKES.values()]
        try:
            while not self._over.wait(self.rng.uniform(0.2, self.calm)):
                (name,) = self.rng.choices(list(STRIKES), weights)
                if STRIKES[name][1](self.system, self.rng):
                    self.struck[name] += 1
        except Exception as error:  # noqa: BLE001  # raised by `_check`
            self.failure = error

    @contextmanager
    def raging(self) -> Iterator[None]:
        """Strike during the block, in another thread; no strike is in progress afterwards.

        Raise the exception of a strike that failed, at the next wait in the block or at its end.
        """
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        try:
            with checking(self._check):
                yield
        finally:
            self._over.set()
            thread.join()
        self._check()

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure
