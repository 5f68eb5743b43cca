"""Idempotency: the job id follows from tenant and key, and a fingerprint tells requests apart."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.idempotency import digest_of, fingerprint, is_repeated, job_id_of, key_of
from api.models.creation import JobCreation
from api.problems import ProblemError
from webhook.contract import JOB_ID
from worker.jobs.job import Job

KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=255)


@given(tenant=st.from_regex(r"[a-z0-9][a-z0-9._-]{0,39}", fullmatch=True), key=KEYS)
def test_an_id_follows_from_tenant_and_key(tenant: str, key: str) -> None:
    """The same pair always has the same valid id, and another tenant another one."""
    job_id = job_id_of(tenant, key)
    assert JOB_ID.fullmatch(job_id)
    assert job_id == job_id_of(tenant, key)
    assert job_id != job_id_of(f"{tenant}x", key)


def test_the_id_of_a_key_never_changes() -> None:
    """A key works for ever, so this id must be the same in every version."""
    assert "jthpbmov3li4dtrkwqmubvxhhm" == job_id_of("default", "order-4711")


@pytest.mark.parametrize(
    ("header", "key"),
    [("order-4711", "order-4711"), ('"order-4711"', "order-4711"), ('"', '"'), ("a b", "a b")],
)
def test_a_key_may_be_quoted(header: str, key: str) -> None:
    """The draft's quoted string and a plain text are the same key."""
    assert key == key_of(header, required=True)


@pytest.mark.parametrize("header", ["", " a", "ä", "a\tb", "x" * 256, '""'])
def test_a_key_that_cannot_be_one_is_refused(header: str) -> None:
    """A key that is empty, too long or not printable ASCII is a problem."""
    with pytest.raises(ProblemError, match="printable ASCII"):
        key_of(header, required=False)


def test_a_missing_key_is_refused_only_if_it_is_required() -> None:
    """Without a key a job is created, unless the setting refuses that."""
    assert None is key_of(None, required=False)
    with pytest.raises(ProblemError, match="Idempotency-Key"):
        key_of(None, required=True)


def job(**changes: object) -> Job:
    """A job of a request."""
    given = {"id": "j1", "endpoint": "owner/app", "arguments": {"prompt": "a secret"}, **changes}
    return Job(**given)  # type: ignore[arg-type]


def test_a_fingerprint_has_no_value() -> None:
    """It names the fields, and nothing of what is in them."""
    text = fingerprint(job(metadata={"order": "4711"}), sent(arguments={"prompt": "a secret"}))
    assert {"", "endpoint", "arguments.prompt", "metadata.order"} == set(json.loads(text))
    assert not [word for word in ("secret", "4711", "owner") if word in text]


def sent(job_id: str = "j1", **changes: object) -> str:
    """The digest of a request before its validation."""
    return digest_of(JobCreation.model_validate({"endpoint": "owner/app", **changes}), job_id)


def test_a_request_is_repeated_if_nothing_of_it_differs() -> None:
    """Neither a value, nor its type, nor the job may differ; a job without a digest is no help."""
    first = sent(arguments={"duration": 5}, max_price="2")
    stored = job(fingerprint=fingerprint(job(), first))
    assert is_repeated(stored, sent(max_price="2", arguments={"duration": 5}))
    others = [
        sent(arguments={"duration": 5}),
        sent(arguments={"duration": 5.0}, max_price="2"),
        sent(arguments={"duration": 5}, max_price="2", dry_run=True),
        sent("j2", arguments={"duration": 5}, max_price="2"),
    ]
    assert [] == [other for other in others if is_repeated(stored, other)]
    assert not is_repeated(job(), "")
    assert not is_repeated(job(fingerprint='{"endpoint": "0123456789ab"}'), first)


def test_any_text_has_a_digest() -> None:
    """Also a lone surrogate, which JSON may contain and UTF-8 may not."""
    assert 32 == len(sent(arguments={"prompt": "\ud800"}))


def test_equal_requests_have_equal_fingerprints() -> None:
    """Numbers and texts of a length are the same to fal, and the order of names is none."""
    one = job(arguments={"duration": 5, "prompt": "a"})
    other = job(arguments={"prompt": "a", "duration": "5"})
    assert fingerprint(one) == fingerprint(other)
    assert fingerprint(one) != fingerprint(job(arguments={"duration": 10, "prompt": "a"}))
