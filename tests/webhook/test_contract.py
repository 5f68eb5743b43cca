"""The contract between receiver and workers: addresses, callbacks, tasks and queues."""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories.callbacks import SECRET, content
from webhook.contract import (
    INBOX,
    ROUTES,
    Callback,
    Queue,
    Task,
    attempt_of,
    callback_url,
    celery_app,
    inbox_key,
    mint_token,
)
from webhook.shards import key_of

JOB_IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", fullmatch=True)
ATTEMPTS = st.integers(1, 999_999_999)


def callback(**changes: object) -> Callback:
    """Return a callback as the receiver stores it."""
    fields: dict[str, object] = {
        "attempt": 1,
        "request_id": "r-1",
        "received_at": 1763640000.25,
        "body": content("r-1"),
    }
    return Callback(**{**fields, **changes})  # type: ignore[arg-type]


@given(job_id=JOB_IDS, attempt=ATTEMPTS)
def test_a_minted_address_leads_back_to_its_attempt(job_id: str, attempt: int) -> None:
    """attempt_of returns the attempt of every address that callback_url mints."""
    url = callback_url("https://hooks.example.com", SECRET, job_id, attempt)
    *_, url_id, token = urlsplit(url).path.split("/")
    assert (job_id, attempt) == (url_id, attempt_of([SECRET], url_id, token))


@given(job_id=JOB_IDS, attempt=ATTEMPTS, other=JOB_IDS, number=ATTEMPTS)
def test_a_token_is_valid_only_for_its_job_and_attempt(
    job_id: str, attempt: int, other: str, number: int
) -> None:
    """A token with another job id or another attempt number is unknown."""
    token = mint_token(SECRET, job_id, attempt)
    renumbered = f"{number}.{token.partition('.')[2]}"
    assert (attempt if other == job_id else None) == attempt_of([SECRET], other, token)
    assert (attempt if number == attempt else None) == attempt_of([SECRET], job_id, renumbered)


@given(job_id=st.text(max_size=80), token=st.text(max_size=80))
def test_an_address_that_was_not_minted_is_unknown(job_id: str, token: str) -> None:
    """Arbitrary text in the address has no attempt and raises nothing."""
    assert attempt_of([SECRET], job_id, token) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token + "\n",
        lambda token: "\n" + token,
        lambda token: token + "A",
        lambda token: token[:-1],
        lambda token: "0" + token,
        lambda token: token.swapcase(),
        lambda token: token.replace(".", "\u0660."),
        lambda _token: "",
    ],
)
def test_a_changed_token_is_unknown(change: Callable[[str], str]) -> None:
    """A token with one character added, removed or changed has no attempt."""
    assert attempt_of([SECRET], "job-1", change(mint_token(SECRET, "job-1", 1))) is None


def test_every_accepted_secret_is_recognised_and_no_other() -> None:
    """During a rotation tokens of both secrets are valid; afterwards only the new one's."""
    old, new = "the-old-secret-00", "the-new-secret-00"
    token = mint_token(old, "job-1", 2)
    assert 2 == attempt_of([new, old], "job-1", token)
    assert attempt_of([new], "job-1", token) is None


def test_a_token_does_not_reveal_its_secret() -> None:
    """The token is the attempt and 43 characters, whatever the secret."""
    token = mint_token(SECRET, "job-1", 7)
    assert re.fullmatch(r"7\.[A-Za-z0-9_-]{43}", token)
    assert SECRET not in token


@given(
    attempt=ATTEMPTS,
    request_id=st.from_regex(r"[A-Za-z0-9_.:-]{1,64}", fullmatch=True),
    received_at=st.floats(0, 4e9),
    body=st.binary(max_size=500),
)
def test_a_callback_survives_the_inbox_unchanged(
    attempt: int, request_id: str, received_at: float, body: bytes
) -> None:
    """decode returns what encode wrote, also for a body with line feeds."""
    original = callback(attempt=attempt, request_id=request_id, received_at=received_at, body=body)
    assert original == Callback.decode(original.encode())


def test_repeats_share_a_fingerprint_and_nothing_else_does() -> None:
    """The same content at another time is the same callback; any other difference is another."""
    first = callback()
    assert first.fingerprint == callback(received_at=1.0).fingerprint
    others = [callback(attempt=2), callback(request_id="r-2"), callback(body=b"{}")]
    assert 4 == len({first.fingerprint, *(other.fingerprint for other in others)})


def test_inbox_keys_are_distinct_from_the_set_of_pending_jobs() -> None:
    """Each job has its own key below the sorted set's name."""
    assert "falhook:{3f}:inbox:job-1" == inbox_key("job-1")
    assert key_of("", INBOX) != inbox_key("")


def test_every_task_has_a_queue_that_workers_declare() -> None:
    """Each task name is routed, to a declared queue."""
    app = celery_app("redis://127.0.0.1:1/0", redis={})
    assert set(Task) == set(ROUTES)
    assert {queue.name for queue in app.conf.task_queues} == set(Queue) == set(ROUTES.values())


def test_transport_options_apply_to_redis_only() -> None:
    """RabbitMQ gets no options of Redis."""
    options: dict[str, object] = {"visibility_timeout": 60}
    redis = celery_app("redis://127.0.0.1:1/0", redis=options)
    rabbit = celery_app("amqp://guest@127.0.0.1:1//", redis=options)
    assert options.items() <= redis.conf.broker_transport_options.items()
    assert "visibility_timeout" not in rabbit.conf.broker_transport_options
