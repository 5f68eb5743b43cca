"""The API keys in Redis: found while they are valid, and only with their token."""

from collections.abc import Callable, Iterator
from itertools import chain, repeat
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from tests.factories.api_keys import SECRET, added, store
from tests.factories.redis_urls import deployment
from tests.factories.world import ManualClock
from worker.api_keys.api_key import ApiKey, InvalidKey
from worker.api_keys.scopes import USUAL, Scope
from worker.api_keys.store import KEPT
from worker.api_keys.token import Token
from worker.jobs.store import connect
from worker.jobs.tenant import InvalidTenant

NEW, OLD = "a-new-secret-of-ours", SECRET


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """An empty Redis."""
    with connect(redis_url) as client:
        yield client


@pytest.fixture
def clock() -> ManualClock:
    """The clock of the store."""
    return ManualClock()


def test_a_key_is_found_by_its_token(redis: Redis, clock: ManualClock) -> None:
    """All that was said about the key comes back, and nothing else."""
    keys = store(redis, clock=clock)
    scopes = frozenset({Scope.READ, Scope.ADMIN})
    key, text = added(keys, " shop ", tenant="acme", scopes=scopes, expires_at=clock() + 60)
    expected = ApiKey(
        id=text[4:12],
        name="shop",
        tenant="acme",
        scopes=scopes,
        created_at=clock(),
        expires_at=clock() + 60,
    )
    assert [expected] * 3 == [key, keys.find(text), keys.get(key.id)]


def stored(redis: Redis) -> str:
    """Everything that Redis holds, as text."""
    values: list[object] = []
    for name in redis.scan_iter():
        is_hash = redis.type(name) == "hash"
        values += [name, redis.hgetall(name) if is_hash else redis.zrange(name, 0, -1)]
    return repr(values)


def test_redis_holds_no_token(redis: Redis) -> None:
    """Nothing in Redis has more of the token than the public id."""
    key, text = added(store(redis))
    everything = stored(redis)
    assert (True, False, False) == (
        key.id in everything,
        text[4:13] in everything,
        text[-8:] in everything,
    )


def test_whoever_writes_to_redis_cannot_forge_a_key(redis: Redis) -> None:
    """A digest made without our secret is not accepted."""
    _, text = added(store(redis, secrets=("the-secret-of-a-thief",)))
    assert store(redis).find(text) is None


def another_end(text: str) -> str:
    """A well-formed token with the same id."""
    letters = chain(text[4:12], repeat("0"))
    return Token.make(lambda _alphabet: next(letters)).text


@pytest.mark.parametrize(
    "change",
    [lambda text: text[:-1], another_end, lambda _text: Token.make().text],
    ids=["malformed", "another token with this id", "unknown"],
)
def test_another_token_is_unknown(redis: Redis, change: Callable[[str], str]) -> None:
    """Only the whole token finds the key."""
    keys = store(redis)
    _, text = added(keys)
    assert keys.find(change(text)) is None


def test_without_our_secret_no_key_is_found(redis: Redis) -> None:
    """Commands that have no FALHOOK_SECRET list keys, but accept none."""
    _, text = added(store(redis))
    assert store(redis, secrets=()).find(text) is None


def test_a_key_expires(redis: Redis, clock: ManualClock) -> None:
    """At its end it is not found any more, but still listed."""
    keys = store(redis, clock=clock)
    key, text = added(keys, expires_at=clock() + 60)
    clock.forward(59)
    assert key == keys.find(text)
    clock.forward(1)
    assert (None, [key]) == (keys.find(text), keys.list())
    assert "expired" == key.state(clock())


def test_a_revoked_key_is_not_found(redis: Redis, clock: ManualClock) -> None:
    """It keeps the time of its first revocation, and is still listed."""
    keys = store(redis, clock=clock)
    key, text = added(keys)
    clock.forward(1)
    _, other = added(keys)
    assert keys.revoke(key.id)
    revoked_at = clock()
    clock.forward(5)
    assert (True, False) == (keys.revoke(key.id), keys.revoke("unknown1"))
    assert (None, True) == (keys.find(text), keys.find(other) is not None)
    first, _ = keys.list()
    assert (key.id, revoked_at, "revoked") == (first.id, first.revoked_at, first.state(clock()))


def test_an_unknown_id_leaves_nothing_behind(redis: Redis) -> None:
    """Revoking what does not exist writes nothing."""
    store(redis).revoke("unknown1")
    assert [] == list(redis.scan_iter())


def test_ended_keys_are_forgotten(redis: Redis, clock: ManualClock) -> None:
    """Redis itself deletes a key a while after its end; the list loses it then."""
    keys = store(redis, clock=clock)
    revoked, _ = added(keys)
    expiring, _ = added(keys, expires_at=clock() + 10)
    kept, _ = added(keys)
    keys.revoke(revoked.id)
    records = [f"falhook:{{keys}}:key:{key.id}" for key in (revoked, expiring, kept)]
    assert [KEPT, KEPT + 10, -1] == [pytest.approx(redis.ttl(each), abs=5) for each in records]
    redis.delete(*records[:2])
    assert (1, None) == (len(keys.list()), keys.get(expiring.id))
    assert 1 == redis.zcard("falhook:{keys}:ids")


def test_keys_of_a_tenant(redis: Redis, clock: ManualClock) -> None:
    """The list has the keys of one tenant, or all, the oldest first."""
    keys = store(redis, clock=clock)
    names = []
    for tenant in ("acme", "default", "acme"):
        key, _ = added(keys, tenant=tenant)
        names.append(key.id)
        clock.forward(1)
    assert names == [key.id for key in keys.list()]
    assert [names[0], names[2]] == [key.id for key in keys.list("acme")]
    assert [] == keys.list("nobody")


def test_the_last_use_is_known_to_the_minute(redis: Redis, clock: ManualClock) -> None:
    """It is written once a minute."""
    keys = store(redis, clock=clock)
    key, text = added(keys)
    keys.note_use(key)
    used = keys.find(text)
    assert used is not None
    assert clock() // 60 * 60 == used.last_used_at
    redis.config_resetstat()
    clock.forward(59 - clock() % 60)
    keys.note_use(used)
    assert "cmdstat_hset" not in redis.info("commandstats")
    clock.forward(1)
    keys.note_use(used)
    used = keys.find(text)
    assert used is not None
    assert clock() == used.last_used_at


def test_a_redis_without_writes_still_finds_keys(redis: Redis) -> None:
    """Whoever only reads is not refused because a use cannot be noted."""
    keys = store(redis)
    key, text = added(keys)
    redis.config_set("min-replicas-to-write", 1)
    try:
        found = store(redis, secrets=(NEW, OLD)).find(text)
        keys.note_use(key)
        assert key == found
        with pytest.raises(RedisError):
            added(keys)
    finally:
        redis.config_set("min-replicas-to-write", 0)


def test_a_key_moves_to_the_first_secret(redis: Redis) -> None:
    """A key that was used while both secrets were accepted works when the old one is gone."""
    _, used = added(store(redis, secrets=(OLD,)))
    _, unused = added(store(redis, secrets=(OLD,)))
    assert store(redis, secrets=(NEW, OLD)).find(used) is not None
    later = store(redis, secrets=(NEW,))
    assert (True, False) == (later.find(used) is not None, later.find(unused) is not None)


def test_an_id_that_is_taken_is_not_used_again(redis: Redis) -> None:
    """A second key with the same first letters would replace the first: another is made."""
    first, other = Token.make(), Token.make()
    same = Token.parse(another_end(first.text))
    assert same is not None
    keys = store(redis, make=iter([first, same, other]).__next__)
    _, text = added(keys)
    key, _ = added(keys)
    assert (other.id, True) == (key.id, keys.find(text) is not None)


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "two\nlines", "\x1b[31mred"])
def test_names_are_short_and_printable(redis: Redis, name: str) -> None:
    """A name appears in tables and logs."""
    with pytest.raises(InvalidKey, match="1 to 60 printable"):
        added(store(redis), name)


def test_a_key_has_a_tenant(redis: Redis) -> None:
    """A name that no job could have is refused."""
    with pytest.raises(InvalidTenant, match="lower-case"):
        added(store(redis), tenant="Acme Inc")


def test_a_key_needs_a_scope_and_a_future(redis: Redis, clock: ManualClock) -> None:
    """A key that could do nothing is refused."""
    keys = store(redis, clock=clock)
    with pytest.raises(InvalidKey, match="jobs:create, jobs:read"):
        added(keys, scopes=frozenset())
    with pytest.raises(InvalidKey, match="future"):
        added(keys, expires_at=clock())


def test_scopes_of_a_later_version_are_left_out(redis: Redis) -> None:
    """A process of this version grants what it knows."""
    keys = store(redis)
    key, text = added(keys, scopes=USUAL)
    redis.hset(f"falhook:{{keys}}:key:{key.id}", "scopes", "jobs:read money:read")
    found = keys.find(text)
    assert found is not None
    assert frozenset({Scope.READ}) == found.scopes


@pytest.mark.parametrize("kind", ["cluster", "sentinels"])
def test_several_servers(tmp_path: Path, kind: str) -> None:
    """Keys work in a cluster, and every replica has them and their revocation."""
    with deployment(kind, tmp_path) as url, connect(url) as client:
        keys = store(client, secrets=(NEW, OLD))
        key, text = added(keys)
        _, old = added(store(client, secrets=(OLD,)))
        keys.note_use(key)
        assert (True, True) == (keys.find(text) is not None, keys.find(old) is not None)
        assert (True, 2) == (keys.revoke(key.id), len(keys.list()))
        assert keys.find(text) is None
