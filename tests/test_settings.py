"""The receiver's settings: safe or refused, a sentence each."""

import pytest

from tests.webhook_factories import SECRET, receiver_environment
from webhook.settings import Connections, Settings, SettingsError

COMPLETE = receiver_environment("redis://127.0.0.1:6379/0", "https://rest.fal.ai/jwks.json")
REQUIRED = ("REDIS_URL", "FALHOOK_PUBLIC_URL", "FALHOOK_SECRET", "FALHOOK_FAL_USER_IDS")


def settings(**changes: str) -> Settings:
    """Complete settings with these changes."""
    return Settings.from_env({**COMPLETE, **changes})


def problem(**changes: str) -> str:
    """The one sentence that these changes cause."""
    with pytest.raises(SettingsError) as error:
        settings(**changes)
    [sentence] = error.value.problems
    return sentence


def test_defaults_are_fals_own_addresses() -> None:
    """Only what nobody can guess has to be set."""
    found = Settings.from_env({name: COMPLETE[name] for name in REQUIRED})
    assert "https://rest.fal.ai/.well-known/jwks.json" == found.jwks_url
    assert found.redis_url == found.broker_url
    assert 8000 == found.port


@pytest.mark.parametrize("name", REQUIRED)
def test_each_required_setting_is_named_when_it_is_missing(name: str) -> None:
    """The process does not start half-configured; the sentence names the setting and its use."""
    sentence = problem(**{name: ""})
    assert sentence.startswith(f"{name} is not set. ")
    assert len(sentence) > len(f"{name} is not set. ") + 20


def test_all_problems_are_told_at_once() -> None:
    """Nobody has to start five times to learn five things."""
    with pytest.raises(SettingsError) as error:
        Settings.from_env({})
    assert list(REQUIRED) == [sentence.split()[0] for sentence in error.value.problems]


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("REDIS_URL", "http://127.0.0.1", "redis://"),
        ("REDIS_URL", "127.0.0.1:6379", "redis://"),
        ("FALHOOK_BROKER_URL", "sqs://", "amqp://"),
        ("FALHOOK_PUBLIC_URL", "http://hooks.example.com", "https://"),
        ("FALHOOK_PUBLIC_URL", "https://", "host"),
        ("FALHOOK_PUBLIC_URL", "https://hooks.example.com/falhook", "origin"),
        ("FALHOOK_PUBLIC_URL", "https://hooks.example.com?x=1", "origin"),
        ("FALHOOK_PUBLIC_URL", "https://me:pw@hooks.example.com", "origin"),
        ("FALHOOK_SECRET", "short", "16 characters"),
        ("FALHOOK_SECRET", f"{SECRET},short", "16 characters"),
        ("FALHOOK_SECRET", ",", "16 characters"),
        ("FALHOOK_FAL_USER_IDS", " , ", "no entry"),
        ("FALHOOK_JWKS_URL", "http://rest.fal.ai/jwks.json", "https://"),
        ("FALHOOK_JWKS_URL", "file:///etc/keys.json", "https://"),
        ("FALHOOK_META_URL", "http://api.fal.ai/v1/meta", "https://"),
        ("FALHOOK_TRUSTED_PROXIES", "10.0.0.0/8, proxy", "network"),
        ("FALHOOK_TRUSTED_PROXIES", "10.0.0.1/8", "host bits"),
        ("PORT", "http", "integer"),
        ("PORT", "70000", "65535"),
        ("FALHOOK_LOG_LEVEL", "LOUD", "DEBUG"),
        ("FALHOOK_LOG_FORMAT", "xml", "json"),
    ],
)
def test_an_unsafe_value_is_refused_with_its_cure(name: str, value: str, why: str) -> None:
    """One sentence: the setting's name, what is wrong, what would be right; no secret in it."""
    sentence = problem(**{name: value})
    assert sentence.startswith(f"{name} ")
    assert why in sentence
    assert SECRET not in sentence


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_http_is_allowed_on_loopback(host: str) -> None:
    """Development needs no certificate."""
    found = settings(FALHOOK_PUBLIC_URL=f"http://{host}:8000/", FALHOOK_JWKS_URL=f"http://{host}/k")
    assert f"http://{host}:8000" == found.public_url


def test_secrets_are_several_and_never_shown() -> None:
    """The first mints; printing the settings shows none."""
    found = settings(FALHOOK_SECRET=f"the-newest-secret-1, {SECRET}")
    assert ("the-newest-secret-1", SECRET) == found.secrets
    assert SECRET not in f"{found!r}{found}{found.model_dump_json()}"


def test_accounts_are_several() -> None:
    """A user and their team may both own jobs."""
    assert ("user-1", "team-1") == settings(FALHOOK_FAL_USER_IDS="user-1, team-1").user_ids


@pytest.mark.parametrize(
    ("redis_url", "broker_url"),
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("unix:///run/redis.sock", "redis+socket:///run/redis.sock"),
    ],
)
def test_the_broker_follows_redis_in_celerys_spelling(redis_url: str, broker_url: str) -> None:
    """One Redis serves both unless another broker is named."""
    assert broker_url == Connections.from_env({"REDIS_URL": redis_url}).broker_url


def test_a_broker_of_its_own_is_used() -> None:
    """RabbitMQ beside Redis."""
    assert "amqp://mq//" == settings(FALHOOK_BROKER_URL="amqp://mq//").broker_url


def test_proxies_are_networks() -> None:
    """Single addresses too; none by default, and no look at addresses either."""
    found = settings(FALHOOK_TRUSTED_PROXIES="10.0.0.0/8, 192.0.2.1,fd00::/8")
    assert ["10.0.0.0/8", "192.0.2.1/32", "fd00::/8"] == [str(n) for n in found.proxies]
    assert ("", ()) == (settings().meta_url, settings().proxies)
