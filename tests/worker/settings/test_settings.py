"""Settings are accepted, or refused with one sentence each."""

from typing import get_args

import pytest

from tests.factories.callbacks import SECRET, receiver_environment
from webhook.settings.errors import SettingsError
from webhook.settings.settings import Connections, ReceiverSettings
from worker.settings.settings import Settings as WorkerSettings
from worker.settings.unknown import messages, unknown_settings
from worker.transcode.ffmpeg import Isolation

COMPLETE = receiver_environment("redis://127.0.0.1:6379/0", "https://rest.fal.ai/jwks.json")
REQUIRED = ("REDIS_URL", "FALHOOK_SECRET", "FALHOOK_PUBLIC_URL", "FALHOOK_FAL_USER_IDS")


def settings(**changes: str) -> ReceiverSettings:
    """Return complete settings with these changes."""
    return ReceiverSettings.from_env({**COMPLETE, **changes})


def problem(**changes: str) -> str:
    """Return the one sentence that these changes cause."""
    with pytest.raises(SettingsError) as error:
        settings(**changes)
    [sentence] = error.value.problems
    return sentence


def test_defaults_are_fals_own_addresses() -> None:
    """Settings with a sensible default need not be set."""
    defaults = ReceiverSettings.from_env({name: COMPLETE[name] for name in REQUIRED})
    assert "https://rest.fal.ai/.well-known/jwks.json" == defaults.jwks_url
    assert defaults.redis_url == defaults.broker_url
    assert 8000 == defaults.port


@pytest.mark.parametrize("name", REQUIRED)
def test_each_required_setting_is_named_when_it_is_missing(name: str) -> None:
    """The process does not start half-configured; the sentence names the setting and its use."""
    sentence = problem(**{name: ""})
    assert sentence.startswith(f"{name} is not set. ")
    assert len(sentence) > len(f"{name} is not set. ") + 20


def test_all_problems_are_reported_together() -> None:
    """A single start reports every missing setting."""
    with pytest.raises(SettingsError) as error:
        ReceiverSettings.from_env({})
    assert list(REQUIRED) == [sentence.split()[0] for sentence in error.value.problems]


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("REDIS_URL", "http://127.0.0.1", "redis://"),
        ("REDIS_URL", "127.0.0.1:6379", "redis://"),
        ("REDIS_URL", "redis://127.0.0.1:foo/0", "'redis://127.0.0.1:foo/0' must have a port"),
        ("REDIS_URL", "redis://127.0.0.1:99999/0", "port"),
        ("REDIS_URL", "redis://127.0.0.1:6379/foo", "a number as its database"),
        ("REDIS_URL", "redis://127.0.0.1:6379/0?db=foo", "db"),
        ("REDIS_URL", "unix://", "unix:///path"),
        ("FALHOOK_BROKER_URL", "sqs://", "amqp://"),
        ("FALHOOK_BROKER_URL", "redis://127.0.0.1:6379/foo", "a number as its database"),
        ("FALHOOK_BROKER_URL", "amqp://me@mq:foo//", "port"),
        ("FALHOOK_PUBLIC_URL", "https://hooks.example.com:foo", "port"),
        ("FALHOOK_PUBLIC_URL", "http://hooks.example.com", "https://"),
        ("FALHOOK_PUBLIC_URL", "https://", "host"),
        ("FALHOOK_PUBLIC_URL", "https://hooks.example.com/falhook", "origin"),
        ("FALHOOK_PUBLIC_URL", "https://hooks.example.com?x=1", "origin"),
        ("FALHOOK_PUBLIC_URL", "https://me:pw@hooks.example.com", "origin"),
        *(
            ("FALHOOK_PUBLIC_URL", f"https://{host}", "that fal can reach")
            for host in ("web:8000", "10.0.0.1", "[fd00::1]", "web.local", "a.internal", "a.test")
        ),
        ("FALHOOK_PUBLIC_URL", "https://hooks.example.com:0", "port from 1"),
        ("FALHOOK_PUBLIC_URL", "https://hooks.example.com:", "origin"),
        ("FALHOOK_PUBLIC_URL", "https://a..example.com", "valid host"),
        ("FALHOOK_PUBLIC_URL", "https://b\u00fccher.example.com", "xn--bcher-kva.example.com"),
        *(
            ("FALHOOK_FAL_USER_IDS", value, "is not an account id")
            for value in ('"u"', "'u'", "a b", "u, <id>", "x" * 129)
        ),
        ("FALHOOK_FAL_USER_IDS", "u;v", "has 'u;v': separate several ids with commas"),
        ("FALHOOK_SECRET", "short", "16 characters"),
        ("FALHOOK_SECRET", f"{SECRET},short", "16 characters"),
        ("FALHOOK_SECRET", ",", "16 characters"),
        ("FALHOOK_FAL_USER_IDS", " , ", "at least one entry"),
        ("FALHOOK_JWKS_URL", "http://rest.fal.ai/jwks.json", "https://"),
        ("FALHOOK_JWKS_URL", "file:///etc/keys.json", "https://"),
        ("FALHOOK_META_URL", "http://api.fal.ai/v1/meta", "https://"),
        ("FALHOOK_TRUSTED_PROXIES", "10.0.0.0/8, proxy", "network"),
        ("FALHOOK_TRUSTED_PROXIES", "10.0.0.1/8", "host bits"),
        ("PORT", "http", "'http' must be a valid integer"),
        ("PORT", "70000", "65535"),
        ("FALHOOK_LOG_LEVEL", "LOUD", "DEBUG"),
        ("FALHOOK_LOG_FORMAT", "xml", "json"),
    ],
)
def test_an_unsafe_value_is_refused_with_the_correction(name: str, value: str, why: str) -> None:
    """One sentence with the setting's name, the problem and the correction, without a secret."""
    sentence = problem(**{name: value})
    assert sentence.startswith(f"{name} ")
    assert why in sentence
    assert SECRET not in sentence


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_http_is_allowed_on_loopback(host: str) -> None:
    """Development needs no certificate."""
    local = settings(FALHOOK_PUBLIC_URL=f"http://{host}:8000/", FALHOOK_JWKS_URL=f"http://{host}/k")
    assert f"http://{host}:8000" == local.public_url


def test_secrets_can_be_several_and_are_never_shown() -> None:
    """All secrets are kept in order; printing the settings shows none."""
    several = settings(FALHOOK_SECRET=f"the-newest-secret-1, {SECRET}")
    assert ("the-newest-secret-1", SECRET) == several.secrets
    assert SECRET not in f"{several!r}{several}{several.model_dump_json()}"


def test_accounts_can_be_several() -> None:
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
    """The broker defaults to the Redis of REDIS_URL."""
    assert broker_url == Connections.from_env({"REDIS_URL": redis_url}).broker_url


def test_a_broker_of_its_own_is_used() -> None:
    """RabbitMQ can be the broker next to Redis."""
    assert "amqp://mq//" == settings(FALHOOK_BROKER_URL="amqp://mq//").broker_url


def test_proxies_are_networks() -> None:
    """Single addresses are accepted too; by default there are no proxies and no META_URL."""
    proxied = settings(FALHOOK_TRUSTED_PROXIES="10.0.0.0/8, 192.0.2.1,fd00::/8")
    assert ["10.0.0.0/8", "192.0.2.1/32", "fd00::/8"] == [str(n) for n in proxied.proxies]
    assert ("", ()) == (settings().meta_url, settings().proxies)


WORKER = {**COMPLETE, "FAL_KEY": "id:secret"}


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("FALHOOK_CALLBACK_DEADLINE", "inf", "'inf' must be a finite number"),
        ("FALHOOK_CALLBACK_DEADLINE", "nan", "finite"),
        ("FALHOOK_CALLBACK_DEADLINE", "9999999999", "less than 3600"),
        ("FALHOOK_CALLBACK_DEADLINE", "0", "greater than 0"),
        ("FALHOOK_DOWNLOAD_HOSTS", "https://x/", "'https://x/' is not a valid entry; use host"),
        ("FALHOOK_DOWNLOAD_HOSTS", "*", "'*' is not a valid entry"),
        ("FAL_REST_HOST", "https://rest.fal.ai", "must be host or host:port"),
        ("FAL_REST_HOST", "rest.fal.ai/x", "must be host or host:port"),
        ("FAL_REST_HOST", "rest.fal.ai:x", "port"),
        ("FALHOOK_FAL_API_HOST", "https://api.fal.ai", "must be host or host:port"),
        ("FAL_RUN_HOST", "https://fal.run", "must be host or host:port"),
        ("FAL_QUEUE_RUN_HOST", "https://queue.fal.run", "must be host or host:port"),
        ("FALHOOK_C2PA_KEY", "/nowhere.pem", "requires FALHOOK_C2PA_CERT"),
        ("FALHOOK_C2PA_COMMAND", "sign", "requires FALHOOK_C2PA_CERT"),
        ("FALHOOK_C2PA_TSA", "https://tsa", "requires FALHOOK_C2PA_CERT"),
        ("FALHOOK_ISOLATION", "docker", "'docker' must be 'auto', 'bubblewrap', 'namespaces' or"),
    ],
)
def test_an_unsafe_value_of_the_worker_is_refused(name: str, value: str, why: str) -> None:
    """One sentence with the setting's name and the problem."""
    with pytest.raises(SettingsError) as error:
        WorkerSettings.from_env({**WORKER, name: value})
    [sentence] = error.value.problems
    assert sentence.startswith(f"{name} ")
    assert why in sentence


def test_the_queue_follows_fals_host() -> None:
    """The queue's origin follows both variables as fal-client does."""
    hosts = [{}, {"FAL_RUN_HOST": "a:1"}, {"FAL_RUN_HOST": "a:1", "FAL_QUEUE_RUN_HOST": "b"}]
    expected = ["https://queue.fal.run", "https://queue.a:1", "https://b"]
    assert expected == [WorkerSettings.from_env({**WORKER, **changes}).queue for changes in hosts]


def test_every_isolation_can_be_set() -> None:
    """The setting accepts auto and every Isolation."""
    expected = {"auto", *Isolation}
    assert expected == set(get_args(WorkerSettings.model_fields["isolation"].annotation))


def test_a_misspelt_setting_is_reported_with_the_nearest() -> None:
    """Only variables with falhook's prefix are reported."""
    names = [*WORKER, "FALHOOK_TAG_PROMT", "FALHOOK_COLOUR", "FAL_KEYS", "FALHOOK_TEST_S3_URL"]
    expected = {"FALHOOK_COLOUR": "", "FALHOOK_TAG_PROMT": "FALHOOK_TAG_PROMPT"}
    assert expected == unknown_settings(names)
    sentences = [
        "FALHOOK_COLOUR is not a setting and has no effect. `falhook settings` lists all settings.",
        "FALHOOK_TAG_PROMT is not a setting and has no effect. Did you mean FALHOOK_TAG_PROMPT?",
    ]
    assert sentences == messages(names)
