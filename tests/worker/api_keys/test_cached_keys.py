"""The cache of API keys: Redis is asked once, and a revocation is seen within a second."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.factories.api_keys import SECRET, added
from tests.factories.world import ManualClock
from worker.api_keys.api_key import ApiKey
from worker.api_keys.cached_keys import CachedKeys
from worker.api_keys.store import ApiKeys
from worker.api_keys.token import Token
from worker.jobs.store import connect


class Counted(ApiKeys):
    """Keys that count how often they were asked."""

    asked = 0

    def find(self, text: str) -> ApiKey | None:
        """Count, then find."""
        self.asked += 1
        return super().find(text)


@pytest.fixture
def keys(redis_url: str) -> Iterator[Counted]:
    """The keys of an empty Redis."""
    with connect(redis_url) as redis:
        yield Counted(redis, (SECRET,))


def test_redis_is_asked_once(keys: Counted) -> None:
    """A burst of requests with one key is one question, and its use is noted."""
    key, text = added(keys)
    cached = CachedKeys(keys, clock=ManualClock())
    assert [key] * 50 == [cached.find(text) for _ in range(50)]
    assert 1 == keys.asked
    noted = keys.get(key.id)
    assert noted is not None
    assert noted.last_used_at is not None


def test_a_revocation_is_seen_within_a_second(keys: Counted) -> None:
    """Also by a process that used the key just before."""
    key, text = added(keys)
    clock = ManualClock()
    cached = CachedKeys(keys, clock=clock)
    cached.find(text)
    keys.revoke(key.id)
    clock.forward(0.999)
    assert cached.find(text) is None


def test_the_age_of_an_answer_counts_from_the_question(keys: Counted) -> None:
    """A slow Redis does not make an answer count for longer."""
    key, text = added(keys)
    clock = ManualClock()

    class Slow(Counted):
        def find(self, text: str) -> ApiKey | None:
            found = super().find(text)
            clock.forward(5)
            return found

    slow = Slow(keys._redis, (SECRET,))
    cached = CachedKeys(slow, clock=clock)
    assert key == cached.find(text)
    keys.revoke(key.id)
    assert cached.find(text) is None


def test_a_bad_key_is_no_load(keys: Counted) -> None:
    """A malformed token is refused without Redis, an unknown one is asked for once."""
    cached = CachedKeys(keys, clock=ManualClock())
    unknown = Token.make().text
    assert {None} == {cached.find(text) for text in [unknown, "fhk_typo", unknown, "", unknown]}
    assert 1 == keys.asked


def test_it_is_bounded(keys: Counted) -> None:
    """Unknown tokens push out what was not used for the longest time."""
    key, text = added(keys)
    cached = CachedKeys(keys, clock=ManualClock(), most=3)
    for _ in range(10):
        assert (key, None) == (cached.find(text), cached.find(Token.make().text))
    assert (11, 3) == (keys.asked, len(cached._found))


def test_it_holds_no_token(keys: Counted) -> None:
    """What a debugger or an error report shows of it has no token."""
    _, text = added(keys)
    cached = CachedKeys(keys, clock=ManualClock())
    cached.find(text)
    assert text not in repr(vars(cached))


def test_threads_share_it(keys: Counted) -> None:
    """Many threads with many tokens get their own answers, with room for a few only."""
    pairs = [added(keys) for _ in range(8)]
    cached = CachedKeys(keys, most=2)
    together = threading.Barrier(8)

    def ask(number: int) -> bool:
        together.wait()
        found = [(key.id, cached.find(text)) for key, text in pairs[number:] + pairs[:number]]
        return all(key is not None and key.id == expected for expected, key in found)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(8)))
