"""fal's public keys: which are accepted, and when they are fetched."""

import asyncio
import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from tests.factories.callbacks import FAL_KEY, jwk, jwks
from webhook.verification.jwks import (
    MAX_AGE,
    MAX_KEYS,
    MIN_INTERVAL,
    REFRESH_EVERY,
    KeySet,
    KeysUnavailable,
    parse,
)

NEW_KEY = SigningKey(bytes(32))
pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """The receiver runs on asyncio."""
    return "asyncio"


def document(*entries: object) -> bytes:
    """Return a JWKS with these entries."""
    return json.dumps({"keys": entries}).encode()


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Source:
    """fal's key host as a function; `answer` is a document or an error."""

    def __init__(self, answer: bytes | Exception = b"") -> None:
        self.answer = answer or jwks(FAL_KEY)
        self.fetches = 0
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self) -> bytes:
        self.fetches += 1
        await self.open.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def keys_of(source: Source) -> tuple[KeySet, Clock]:
    """Return keys from `source`, and their clock."""
    clock = Clock()
    return KeySet(source, clock=clock), clock


@pytest.mark.parametrize("padded", [True, False])
def test_a_key_may_be_padded_or_not(padded: bool) -> None:
    """base64url with and without `=` is the same key."""
    assert (FAL_KEY.verify_key,) == parse(document(jwk(padded=padded)))


@pytest.mark.parametrize(
    "entry",
    [
        {**jwk(), "kty": "RSA"},
        {**jwk(), "kty": "EC"},
        {**jwk(), "crv": "X25519"},
        {**jwk(), "crv": "Ed448"},
        {**jwk(), "x": jwk()["x"][:-1]},
        {**jwk(), "x": jwk()["x"] + "AA"},
        {**jwk(), "x": ""},
        {**jwk(), "x": jwk()["x"][:-1] + "+"},
        {**jwk(), "x": " " + jwk()["x"]},
        {**jwk(), "x": "é" * 43},
        {**jwk(), "x": 7},
        {"kty": "OKP", "crv": "Ed25519"},
        "key",
        None,
    ],
)
def test_other_kinds_of_keys_are_skipped(entry: object) -> None:
    """Only OKP/Ed25519 with 32 bytes counts; a document with only other entries is refused."""
    assert (FAL_KEY.verify_key,) == parse(document(entry, jwk()))
    with pytest.raises(ValueError, match="0 usable keys"):
        parse(document(entry))


@pytest.mark.parametrize(
    "broken",
    [b"", b"[]", b"{}", b'{"keys": {}}', b'{"keys": null}', b"<html>", b"\xff", b"[" * 60_000],
)
def test_a_document_that_is_not_a_jwks_is_refused(broken: bytes) -> None:
    """Anything but a JWKS raises ValueError, also deeply nested JSON."""
    with pytest.raises(ValueError):
        parse(broken)


@pytest.mark.parametrize("count", [1, MAX_KEYS])
def test_one_to_twenty_keys_are_accepted(count: int) -> None:
    """Both limits are included."""
    entries = [jwk(SigningKey(bytes([n]) * 32)) for n in range(count)]
    assert count == len(parse(document(*entries)))


def test_more_than_twenty_keys_are_refused() -> None:
    """Each forged callback costs one verification for each key."""
    entries = [jwk(SigningKey(bytes([n]) * 32)) for n in range(MAX_KEYS + 1)]
    with pytest.raises(ValueError, match="21 usable keys"):
        parse(document(*entries))


def test_a_document_of_more_than_64_kilobytes_is_refused() -> None:
    """One byte above 64 KB, valid keys are refused too."""
    padding = 64 * 1024 - len(jwks(FAL_KEY))
    assert 1 == len(parse(jwks(FAL_KEY) + b" " * padding))
    with pytest.raises(ValueError, match="larger"):
        parse(jwks(FAL_KEY) + b" " * (padding + 1))


@given(st.binary(max_size=200))
def test_any_document_is_keys_or_a_value_error(arbitrary: bytes) -> None:
    """No response of the host raises another exception."""
    try:
        keys: Sequence[object] = parse(arbitrary)
    except ValueError:
        return
    assert keys


async def test_keys_are_fetched_once_and_cached() -> None:
    """Any number of callbacks cause one request a day."""
    source = Source()
    keys, clock = keys_of(source)
    for _ in range(50):
        assert (FAL_KEY.verify_key,) == await keys.current()
    clock.now += MAX_AGE - 1
    await keys.current()
    assert (1, MAX_AGE - 1, 1) == (source.fetches, keys.age, keys.count)


async def test_keys_older_than_a_day_are_fetched_before_they_are_used() -> None:
    """A key that fal withdrew is not accepted for longer than documented."""
    source = Source()
    keys, clock = keys_of(source)
    await keys.current()
    source.answer = jwks(NEW_KEY)
    clock.now += MAX_AGE + 1
    assert (NEW_KEY.verify_key,) == await keys.current()


@pytest.mark.parametrize("fault", [OSError("away"), ValueError("status 500"), TimeoutError()])
async def test_old_keys_stay_in_use_while_the_host_is_down(fault: Exception) -> None:
    """During an outage of days no callback is refused, and fetches are a minute apart."""
    source = Source()
    keys, clock = keys_of(source)
    await keys.current()
    source.answer = fault
    for _ in range(3):
        clock.now += 2 * MAX_AGE
        for _ in range(5):
            assert (FAL_KEY.verify_key,) == await keys.current()
    assert 4 == source.fetches


async def test_without_any_key_callbacks_cannot_be_verified() -> None:
    """KeysUnavailable is raised, with one fetch a minute, until a fetch succeeds."""
    source = Source(OSError("away"))
    keys, clock = keys_of(source)
    for _ in range(10):
        with pytest.raises(KeysUnavailable):
            await keys.current()
    assert 1 == source.fetches
    source.answer = jwks(FAL_KEY)
    clock.now += MIN_INTERVAL
    assert (FAL_KEY.verify_key,) == await keys.current()


async def test_a_miss_finds_the_keys_that_fal_rotated_to() -> None:
    """The first callback with a new key causes a fetch, even right after the last one."""
    source = Source()
    keys, _ = keys_of(source)
    tried = await keys.current()
    source.answer = jwks(NEW_KEY)
    assert await keys.changed_since(tried)
    assert (NEW_KEY.verify_key,) == await keys.current()


async def test_misses_at_the_same_time_share_one_fetch() -> None:
    """One request shows all of them that the keys changed."""
    source = Source()
    keys, _ = keys_of(source)
    tried = await keys.current()
    source.answer = jwks(NEW_KEY)
    source.open.clear()
    misses = [asyncio.create_task(keys.changed_since(tried)) for _ in range(100)]
    await asyncio.sleep(0)
    source.open.set()
    assert [True] * 100 == await asyncio.gather(*misses)
    assert 2 == source.fetches


async def test_a_miss_with_replaced_keys_needs_no_fetch() -> None:
    """A callback that tried the old keys gets the new ones without a fetch."""
    source = Source()
    keys, _ = keys_of(source)
    tried = await keys.current()
    source.answer = jwks(NEW_KEY)
    assert [True, True] == [await keys.changed_since(tried), await keys.changed_since(tried)]
    assert 2 == source.fetches


async def test_a_flood_of_forgeries_costs_one_fetch_a_minute() -> None:
    """A thousand misses a minute for five minutes cause five requests."""
    source = Source()
    keys, clock = keys_of(source)
    tried = await keys.current()
    for _ in range(5_000):
        clock.now += 0.06
        assert not await keys.changed_since(tried)
    assert 1 + 5 == source.fetches


async def test_a_failed_refresh_changes_nothing() -> None:
    """A broken document does not replace the keys."""
    source = Source()
    keys, _ = keys_of(source)
    tried = await keys.current()
    source.answer = b"{}"
    assert not await keys.changed_since(tried)
    assert (FAL_KEY.verify_key,) == await keys.current()


@pytest.mark.parametrize(
    ("answer", "pause"), [(jwks(FAL_KEY), REFRESH_EVERY), (OSError("away"), MIN_INTERVAL)]
)
async def test_keys_are_refreshed_in_the_background(
    answer: bytes | Exception, pause: float
) -> None:
    """Keys are fetched every hour, after a failure every minute."""
    source = Source(answer)
    keys, clock = keys_of(source)
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        clock.now += seconds
        pauses.append(seconds)
        if len(pauses) == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await keys.run(sleep=sleep)
    assert [pause] * 3 == pauses
    assert 3 == source.fetches


async def test_age_is_infinite_before_the_first_keys() -> None:
    """An alert on age needs no exception for the start."""
    keys, _ = keys_of(Source())
    assert float("inf") == keys.age
