"""REDIS_URL read alone, as commands do that only read jobs."""

import pytest

from webhook.settings.errors import SettingsError
from webhook.settings.redis_url import read_redis_url
from webhook.settings.settings import Connections


@pytest.mark.parametrize("url", ["", " ", "http://u:pw@here", "redis://:a@h/x?b=1", "redis://h:0"])
def test_a_fault_has_the_same_sentence_as_among_all_settings(url: str) -> None:
    """What is missing or wrong is said in the same words, without the password."""
    with pytest.raises(SettingsError) as alone:
        read_redis_url({"REDIS_URL": url})
    with pytest.raises(SettingsError) as among_all:
        Connections.from_env({"REDIS_URL": url})
    assert among_all.value.problems == alone.value.problems


def test_the_value_is_the_same_as_among_all_settings() -> None:
    """Space around a value is no part of it."""
    environ = {"REDIS_URL": " redis://:pw@host/1 "}
    assert Connections.from_env(environ).redis_url == read_redis_url(environ)
