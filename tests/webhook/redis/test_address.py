"""The address of a Redis: one reading of its URL, for both libraries."""

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from infra.local.redis.server import RedisServer
from webhook.broker import broker_settings
from webhook.contract import celery_app
from webhook.redis.address import RedisAddress, RedisKind
from webhook.redis.clients import client
from webhook.settings.errors import SettingsError
from webhook.settings.settings import Connections
from worker.broker import redis_transport


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://h", RedisAddress(host="h")),
        ("redis://", RedisAddress()),
        ("redis://:pw@h:1/3", RedisAddress(host="h", port=1, db=3, password="pw")),
        ("redis://h?db=3", RedisAddress(host="h", db=3)),
        ("redis://[::1]:7/1", RedisAddress(host="::1", port=7, db=1)),
        (
            "redis://h?username=me&password=p%40s",
            RedisAddress(host="h", username="me", password="p@s"),
        ),
        ("unix:///run/r.sock?db=2", RedisAddress(path="/run/r.sock", db=2)),
        (
            "unix://me:pw@/run/r.sock",
            RedisAddress(path="/run/r.sock", username="me", password="pw"),
        ),
        ("redis+socket:///run/r.sock?virtual_host=2", RedisAddress(path="/run/r.sock", db=2)),
        (
            "redis+sentinel://me:p%40s@h1,h2:7,h3/main/1?sentinel_password=s%2Fx",
            RedisAddress(
                kind=RedisKind.SENTINEL,
                places=(("h1", 26379), ("h2", 7), ("h3", 26379)),
                service="main",
                db=1,
                username="me",
                password="p@s",
                sentinel_password="s/x",
            ),
        ),
        (
            "redis+cluster://:a/b@h1,h2:7",
            RedisAddress(kind=RedisKind.CLUSTER, places=(("h1", 6379), ("h2", 7)), password="a/b"),
        ),
    ],
)
def test_each_spelling_has_one_reading(url: str, expected: RedisAddress) -> None:
    """The database may be in the path or an option; the login in the authority or an option."""
    assert expected == RedisAddress.parse(url)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("redis://h?socket_timeout=5", "socket_timeout"),
        ("redis://h?family=0", "family"),
        ("redis://h?DB=1", "DB"),
        ("rediss://h?ssl=true", "option ssl,"),
        ("redis://h?ssl_cert_reqs=none", "rediss://"),
        ("rediss://h?ssl_cert_reqs=maybe", "none, optional and required"),
        ("rediss://h?ssl_check_hostname=maybe", "true and false"),
        ("rediss://h?ssl_ca_certs=/nowhere.pem", "names no file"),
        ("rediss://h?ssl_ca_path=/nowhere", "names no directory"),
        ("redis://h/3?db=4", "two databases"),
        ("redis://h?db=1&db=2", "same option twice"),
        ("redis://h?db=", "a number as its database"),
        ("redis://h/x", "a number as its database"),
        ("redis://h/-1", "a number as its database"),
        ("redis://h:0", "port from 1"),
        ("redis://h:99999", "port from 1"),
        ("redis://::1/0", "port"),
        ("redis://h/0#x", "%23"),
        ("redis://:%ff@h", "UTF-8"),
        ("unix://", "unix:///path"),
        ("unix://h/run/r.sock", "unix:///path"),
        ("redis+sentinel://h", "redis.sentinel://host1,host2,host3/NAME/0"),
        ("redis+sentinel:///main", "must name the sentinels"),
        ("redis+sentinel://h/main/x", "a number as its database"),
        ("redis+sentinel://h/main?ssl_cert_reqs=none", "rediss.sentinel://"),
        ("redis+cluster://h/1", "a cluster has no other"),
        ("redis+cluster://", "must name nodes"),
        ("redis+cluster://h?sentinel_password=x", "sentinel_password"),
        ("http://h", "redis://"),
        ("h:6379", "redis://"),
    ],
)
def test_what_one_library_would_read_differently_is_refused(url: str, why: str) -> None:
    """The end of a sentence names the option or part, and what would be right."""
    with pytest.raises(ValueError, match=why):
        RedisAddress.parse(url)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_any_password_can_be_escaped(password: str) -> None:
    """An escaped password may have every character."""
    url = f"redis://:{quote(password, safe='')}@h:1/2"
    assert RedisAddress(host="h", port=1, db=2, password=password) == RedisAddress.parse(url)


@pytest.mark.parametrize("password", ["a/b", "a#b", "a?b=c", "1/2?3#4@5", "a@b", "a:b", "/", "#"])
def test_a_password_need_not_be_escaped(password: str) -> None:
    """People paste passwords as they are: everything up to the last @ is the login."""
    found = RedisAddress.parse(f"redis://me:{password}@h:1/2")
    assert (password, "me", "h", 2) == (found.password, found.username, found.host, found.db)


def test_certificates_are_verified_unless_the_url_says_otherwise(tmp_path: Path) -> None:
    """Both spellings of the option are understood, and its files are passed on."""
    ca = tmp_path / "ca.pem"
    ca.touch()
    for secure in ("rediss://h", "rediss+sentinel://h/main", "rediss+cluster://h"):
        verified = {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
        assert verified == RedisAddress.parse(secure).tls
    for spelling in ("none", "CERT_NONE"):
        tls = RedisAddress.parse(f"rediss://h?ssl_cert_reqs={spelling}&ssl_ca_certs={ca}").tls
        expected = {"ssl_cert_reqs": "none", "ssl_check_hostname": False, "ssl_ca_certs": str(ca)}
        assert expected == tls


def test_secrets_are_not_shown() -> None:
    """Neither the representation nor the URL for people has the password."""
    for url in (
        "rediss://me:hunter2@h?ssl_password=hunter2",
        "rediss+sentinel://me:hunter2@h/main?sentinel_password=hunter2",
    ):
        found = RedisAddress.parse(url)
        assert "hunter2" not in f"{found!r}{found}{found.url}"


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"REDIS_URL": "redis+cluster://h1,h2"}, "RabbitMQ .amqp://. or one small Redis"),
        (
            {"REDIS_URL": "redis://h", "FALHOOK_BROKER_URL": "redis+cluster://h1"},
            "cannot be a Redis Cluster",
        ),
        ({"REDIS_URL": "redis://h", "FALHOOK_BROKER_URL": "sqs://"}, "cannot be Amazon SQS"),
    ],
)
def test_a_broker_that_celery_cannot_use_is_refused(settings: dict[str, str], why: str) -> None:
    """A cluster needs a broker beside it; the error names the setting and what to use."""
    with pytest.raises(SettingsError, match=f"FALHOOK_BROKER_URL.*{why}"):
        Connections.from_env(settings)


def test_a_cluster_with_a_broker_beside_it_is_accepted() -> None:
    """Records in a cluster, messages in RabbitMQ."""
    urls = {"REDIS_URL": "redis+cluster://h1,h2", "FALHOOK_BROKER_URL": "amqp://me@mq//"}
    assert "amqp://me@mq//" == Connections.from_env(urls).broker_url


@pytest.mark.parametrize("option", ["/3", "?db=3"])
def test_records_and_messages_share_a_database(redis_server: RedisServer, option: str) -> None:
    """redis-py and kombu use the same database of the same URL."""
    url = redis_server.url.removesuffix("/0") + option
    with Redis.from_url(redis_server.url.removesuffix("/0") + "/3") as third:
        third.flushdb()
        with client(RedisAddress.parse(url)) as redis:
            redis.set("record", "1")
        app = celery_app(url, redis={}, scheme=redis_transport.SCHEME)
        app.send_task("falhook.sweep")
        app.close()
        assert (1, 1) == (third.exists("record"), third.llen("falhook.callbacks"))
        third.flushdb()


def test_rabbitmq_is_verified_too() -> None:
    """py-amqp gets the verification and the host's name, in its own spelling."""
    strict = broker_settings("amqps://me@mq//", redis={}, rabbitmq={})
    lax = broker_settings("amqps://me@mq//?ssl_cert_reqs=none", redis={}, rabbitmq={})
    plain = broker_settings("amqp://me@mq//", redis={}, rabbitmq={})
    assert {"cert_reqs": 2, "server_hostname": "mq"} == strict["broker_use_ssl"]
    assert {"cert_reqs": 0} == lax["broker_use_ssl"]
    assert ("amqps://me@mq//", False) == (lax["broker_url"], plain["broker_use_ssl"])
    assert {"confirm_publish": True} == plain["broker_transport_options"]
    with pytest.raises(ValueError, match="option heartbeat"):
        broker_settings("amqps://me@mq//?heartbeat=5", redis={}, rabbitmq={})
