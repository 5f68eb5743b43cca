"""fal's public keys: what counts as one, and when they are fetched."""

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
    """A JWKS with these entries."""
    return json.dumps({"keys": entries}).encode()


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Source:
    """fal's key host as a function; `answer` is a document or what goes wrong."""

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
    """Keys with a clock of their own."""
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
def test_entries_of_another_kind_are_passed_over(entry: object) -> None:
    """Only OKP/Ed25519 with 32 bytes counts; a stranger beside it does no harm, alone is no key."""
    assert (FAL_KEY.verify_key,) == parse(document(entry, jwk()))
    with pytest.raises(ValueError, match="0 usable keys"):
        parse(document(entry))


@pytest.mark.parametrize(
    "broken",
    [b"", b"[]", b"{}", b'{"keys": {}}', b'{"keys": null}', b"<html>", b"\xff", b"[" * 60_000],
)
def test_a_document_of_another_shape_is_refused(broken: bytes) -> None:
    """Anything but a JWKS is a ValueError, however deep it nests."""
    with pytest.raises(ValueError):
        parse(broken)


@pytest.mark.parametrize("count", [1, MAX_KEYS])
def test_one_to_twenty_keys_are_taken(count: int) -> None:
    """The bounds are included."""
    entries = [jwk(SigningKey(bytes([n]) * 32)) for n in range(count)]
    assert count == len(parse(document(*entries)))


def test_more_keys_than_a_callback_may_cost_are_refused() -> None:
    """Each forged callback costs one verification for each key."""
    entries = [jwk(SigningKey(bytes([n]) * 32)) for n in range(MAX_KEYS + 1)]
    with pytest.raises(ValueError, match="21 usable keys"):
        parse(document(*entries))


def test_a_document_of_more_than_64_kilobytes_is_refused() -> None:
    """Whatever it says, it is no key document of fal's."""
    padding = 64 * 1024 - len(jwks(FAL_KEY))
    assert 1 == len(parse(jwks(FAL_KEY) + b" " * padding))
    with pytest.raises(ValueError, match="larger"):
        parse(jwks(FAL_KEY) + b" " * (padding + 1))


@given(st.binary(max_size=200))
def test_any_document_is_keys_or_a_value_error(arbitrary: bytes) -> None:
    """Nothing that the host sends can end in another exception."""
    try:
        found: Sequence[object] = parse(arbitrary)
    except ValueError:
        return
    assert found


async def test_keys_are_fetched_once_and_cached() -> None:
    """However many callbacks ask, the host is asked once within a day."""
    source = Source()
    keys, clock = keys_of(source)
    for _ in range(50):
        assert (FAL_KEY.verify_key,) == await keys.current()
    clock.now += MAX_AGE - 1
    await keys.current()
    assert (1, MAX_AGE - 1, 1) == (source.fetches, keys.age, keys.count)


async def test_keys_older_than_a_day_are_fetched_before_they_are_used() -> None:
    """A key that fal withdrew is not honoured for longer than documented."""
    source = Source()
    keys, clock = keys_of(source)
    await keys.current()
    source.answer = jwks(NEW_KEY)
    clock.now += MAX_AGE + 1
    assert (NEW_KEY.verify_key,) == await keys.current()


@pytest.mark.parametrize("fault", [OSError("away"), ValueError("status 500"), TimeoutError()])
async def test_stale_keys_serve_while_the_host_is_away(fault: Exception) -> None:
    """An outage of fal's host, of days even, refuses no callback, and asks once a minute."""
    source = Source()
    keys, clock = keys_of(source)
    await keys.current()
    source.answer = fault
    for _ in range(3):
        clock.now += 2 * MAX_AGE
        for _ in range(5):
            assert (FAL_KEY.verify_key,) == await keys.current()
    assert 4 == source.fetches


async def test_without_any_key_nothing_can_be_judged() -> None:
    """No keys ever had: KeysUnavailable, one fetch a minute, and recovery by itself."""
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
    """The first callback with the new key brings it in, seconds after the last fetch even."""
    source = Source()
    keys, _ = keys_of(source)
    tried = await keys.current()
    source.answer = jwks(NEW_KEY)
    assert await keys.missed(tried)
    assert (NEW_KEY.verify_key,) == await keys.current()


async def test_misses_at_the_same_time_share_one_fetch() -> None:
    """All of them learn that the keys changed, from a single request."""
    source = Source()
    keys, _ = keys_of(source)
    tried = await keys.current()
    source.answer = jwks(NEW_KEY)
    source.open.clear()
    misses = [asyncio.create_task(keys.missed(tried)) for _ in range(100)]
    await asyncio.sleep(0)
    source.open.set()
    assert [True] * 100 == await asyncio.gather(*misses)
    assert 2 == source.fetches


async def test_a_miss_with_keys_that_were_replaced_needs_no_fetch() -> None:
    """Whoever tried the old keys while another found the new ones tries again at once."""
    source = Source()
    keys, _ = keys_of(source)
    tried = await keys.current()
    source.answer = jwks(NEW_KEY)
    assert [True, True] == [await keys.missed(tried), await keys.missed(tried)]
    assert 2 == source.fetches


async def test_a_flood_of_forgeries_costs_one_fetch_a_minute() -> None:
    """A thousand misses a minute for five minutes: five requests."""
    source = Source()
    keys, clock = keys_of(source)
    tried = await keys.current()
    for _ in range(5_000):
        clock.now += 0.06
        assert not await keys.missed(tried)
    assert 1 + 5 == source.fetches


async def test_a_failed_refresh_changes_nothing() -> None:
    """A broken document does not replace good keys."""
    source = Source()
    keys, _ = keys_of(source)
    tried = await keys.current()
    source.answer = b"{}"
    assert not await keys.missed(tried)
    assert (FAL_KEY.verify_key,) == await keys.current()


@pytest.mark.parametrize(
    ("answer", "pause"), [(jwks(FAL_KEY), REFRESH_EVERY), (OSError("away"), MIN_INTERVAL)]
)
async def test_keys_are_kept_fresh_in_the_background(
    answer: bytes | Exception, pause: float
) -> None:
    """Every hour; after a failure again in a minute."""
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
    """So that an alert on age needs no exception for the start."""
    keys, _ = keys_of(Source())
    assert float("inf") == keys.age
