"""The key that a stack makes for its API."""

import os

import pytest

from infra.local.api_key import KeyNotMade, admin_key
from tests import ROOT
from tests.factories.api_keys import SECRET
from worker.api_keys.scopes import Scope
from worker.api_keys.store import ApiKeys
from worker.jobs.store import JobStore


def environment(redis_url: str) -> dict[str, str]:
    """The environment of a stack's processes."""
    return {**os.environ, "REDIS_URL": redis_url, "FALHOOK_SECRET": SECRET}


def test_one_stack_after_the_other_has_one_key(redis_url: str, records: JobStore) -> None:
    """The key may do everything, and ends that of the stack before."""
    tokens = []
    for _ in range(2):
        with admin_key(environment(redis_url), ROOT) as key:
            tokens.append(key())
    keys = ApiKeys(records.redis, (SECRET,))
    before, now = (keys.find(token) for token in tokens)
    assert now is not None
    assert (None, "local", frozenset({Scope.ADMIN})) == (before, now.name, now.scopes)


def test_a_failure_is_explained() -> None:
    """The error has the words of the command."""
    with (
        admin_key(environment("redis://127.0.0.1:1/0"), ROOT) as key,
        pytest.raises(KeyNotMade, match="REDIS_URL cannot be reached"),
    ):
        key()


def test_it_is_not_waited_for_after_an_interrupt(redis_url: str) -> None:
    """Ctrl-C while the stack starts leaves no process behind."""
    with pytest.raises(KeyboardInterrupt), admin_key(environment(redis_url), ROOT):
        raise KeyboardInterrupt
