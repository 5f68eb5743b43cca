"""The checks of a callback without I/O; the vector follows fal's documented scheme."""

import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey, VerifyKey

from tests.factories.callbacks import FAL_KEY, USER_ID, Delivery, signed
from webhook.verification.signature import (
    Rejected,
    SignedClaim,
    check_account,
    check_time,
    read_claim,
    verify,
)

NOW = 1763640000.0
KEYS = (FAL_KEY.verify_key,)

# Ed25519 seed 0x00…0x1f; created once with another implementation, by the rules of
# https://docs.fal.ai/documentation/model-apis/inference/webhooks
VECTOR_BODY = (
    b'{"error": null, "gateway_request_id": "019a9d3e-5b7c-7d10-8f42-0c6a4e21b7aa", '
    b'"payload": {"video": {"content_type": "video/mp4", "file_name": "output.mp4", '
    b'"file_size": 12345678, "url": "https://v3b.fal.media/files/b/0a1b2c3d/output.mp4"}}, '
    b'"request_id": "019a9d3e-5b7c-7d10-8f42-0c6a4e21b7aa", "status": "OK"}'
)
VECTOR_HEADERS = [
    (b"x-fal-webhook-request-id", b"019a9d3e-5b7c-7d10-8f42-0c6a4e21b7aa"),
    (b"x-fal-webhook-user-id", b"user-demo-0001"),
    (b"x-fal-webhook-timestamp", b"1763640000"),
    (
        b"x-fal-webhook-signature",
        b"24c09052d8892141475785e341d3e48935a938b437b76242fb3a510ad453c595"
        b"457c6985bba1a5c7964453ff0fd78222eee73262d5a29cd1697e9c8d9574fd0a",
    ),
]


def raw(delivery: Delivery) -> list[tuple[bytes, bytes]]:
    """Return headers as a server passes them."""
    return [(name.lower().encode(), value.encode()) for name, value in delivery.headers.items()]


def reason(check: Callable[[], object]) -> str:
    """Return the reason code of the rejection that `check` must raise."""
    with pytest.raises(Rejected) as rejected:
        check()
    return rejected.value.reason


def test_the_documented_vector_verifies() -> None:
    """The vector has the documented digest and passes all checks."""
    claim = read_claim(VECTOR_HEADERS)
    assert 310 == len(VECTOR_BODY)
    assert (
        "48dc8fea32a9d5428d77fe9b0da20c9c4caee58c2d75a8bfdd63c37ea8362c79"
        == hashlib.sha256(VECTOR_BODY).hexdigest()
    )
    verify(claim, VECTOR_BODY, KEYS)
    check_time(claim, NOW)
    check_account(claim, [USER_ID])


def test_a_reformatted_body_does_not_verify() -> None:
    """The signature is over the raw bytes: the same JSON without spaces is another body."""
    claim = read_claim(VECTOR_HEADERS)
    compact = VECTOR_BODY.replace(b": ", b":").replace(b", ", b",")
    assert "bad_signature" == reason(lambda: verify(claim, compact, KEYS))


@given(position=st.integers(0, 309), bit=st.integers(0, 7))
def test_every_bit_of_the_body_is_signed(position: int, bit: int) -> None:
    """One flipped bit anywhere in the body breaks the signature."""
    body = bytearray(VECTOR_BODY)
    body[position] ^= 1 << bit
    claim = read_claim(VECTOR_HEADERS)
    assert "bad_signature" == reason(lambda: verify(claim, bytes(body), KEYS))


@given(position=st.integers(0, 511))
def test_every_bit_of_the_signature_counts(position: int) -> None:
    """One flipped bit anywhere in the signature breaks it."""
    claim = read_claim(VECTOR_HEADERS)
    signature = bytearray(claim.signature)
    signature[position // 8] ^= 1 << position % 8
    changed = SignedClaim(
        request_id=claim.request_id,
        user_id=claim.user_id,
        timestamp=claim.timestamp,
        signature=bytes(signature),
    )
    assert "bad_signature" == reason(lambda: verify(changed, VECTOR_BODY, KEYS))


@pytest.mark.parametrize("name", ["request_id", "user_id", "timestamp"])
def test_every_signed_header_is_signed(name: str) -> None:
    """A header changed after signing breaks the signature."""
    delivery = signed(timestamp=NOW).with_(**{name: "1763640001"})
    claim = read_claim(raw(delivery))
    assert "bad_signature" == reason(lambda: verify(claim, delivery.body, KEYS))


def test_any_one_of_the_keys_verifies() -> None:
    """Callbacks do not name their key, so all are tried; without a matching key none verifies."""
    other = SigningKey(bytes(32)).verify_key
    delivery = signed()
    claim = read_claim(raw(delivery))
    verify(claim, delivery.body, (other, *KEYS))
    assert "bad_signature" == reason(lambda: verify(claim, delivery.body, (other,)))
    assert "bad_signature" == reason(lambda: verify(claim, delivery.body, ()))


def test_a_key_that_verifies_everything_cannot_be_used() -> None:
    """A point of small order, for which some libraries accept forgeries, is refused."""
    weak = VerifyKey(bytes([1]) + bytes(31))
    forged = read_claim(raw(signed().with_(signature=(bytes([1]) + bytes(63)).hex())))
    assert "bad_signature" == reason(lambda: verify(forged, b"anything", (weak,)))


@pytest.mark.parametrize("skew", [-300, -299.5, 0, 299.5, 300])
def test_timestamps_within_five_minutes_pass(skew: float) -> None:
    """The documented tolerance is included on both sides."""
    check_time(read_claim(raw(signed(timestamp=NOW))), NOW + skew)


@pytest.mark.parametrize("skew", [-301, -300.5, 300.5, 301, 1e9])
def test_timestamps_beyond_five_minutes_are_stale(skew: float) -> None:
    """Too old and too far ahead have the same reason code."""
    claim = read_claim(raw(signed(timestamp=NOW)))
    assert "stale_timestamp" == reason(lambda: check_time(claim, NOW + skew))


@pytest.mark.parametrize("user_ids", [[], ["another"], [USER_ID + "x"], [USER_ID[:-1]], [""]])
def test_other_accounts_are_foreign(user_ids: list[str]) -> None:
    """Only an exact match is accepted."""
    claim = read_claim(raw(signed()))
    assert "foreign_account" == reason(lambda: check_account(claim, user_ids))


def test_any_of_our_accounts_is_accepted() -> None:
    """The settings may name several accounts, such as user and team."""
    check_account(read_claim(raw(signed())), ["team-1", USER_ID])


@pytest.mark.parametrize("name", ["request_id", "user_id", "timestamp", "signature"])
def test_each_header_must_occur_exactly_once(name: str) -> None:
    """A missing or repeated header is refused, even with the same value."""
    delivery = signed()
    missing = raw(delivery.without(name))
    [header] = [pair for pair in raw(delivery) if pair not in missing]
    assert "bad_headers" == reason(lambda: read_claim(missing))
    assert "bad_headers" == reason(lambda: read_claim([*raw(delivery), header]))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("request_id", ""),
        ("request_id", "a\nb"),
        ("request_id", "a\n"),
        ("request_id", "r" * 65),
        ("request_id", "réq"),
        ("user_id", ""),
        ("user_id", "u 1"),
        ("user_id", "user\r\nx"),
        ("user_id", "u" * 129),
        ("timestamp", ""),
        ("timestamp", "-1763640000"),
        ("timestamp", "+1763640000"),
        ("timestamp", "1763640000.0"),
        ("timestamp", "1763640000\n"),
        ("timestamp", "1_763_640_000"),
        ("timestamp", "٣"),
        ("timestamp", "1" * 12),
        ("timestamp", "1e9"),
        ("signature", ""),
        ("signature", "ab" * 63),
        ("signature", "ab" * 65),
        ("signature", "zz" * 64),
        ("signature", "ab " * 42 + "ab"),
    ],
)
def test_malformed_headers_are_refused(name: str, value: str) -> None:
    """No line feed, other notation of a number or long value gets into the signed message."""
    assert "bad_headers" == reason(lambda: read_claim(raw(signed().with_(**{name: value}))))


@given(
    st.lists(st.tuples(st.sampled_from([n for n, _ in VECTOR_HEADERS]), st.binary(max_size=140)))
)
def test_arbitrary_headers_are_a_claim_or_bad_headers(headers: list[tuple[bytes, bytes]]) -> None:
    """Any headers give a well-formed claim or one rejection."""
    try:
        claim = read_claim(headers)
    except Rejected as rejected:
        assert "bad_headers" == rejected.reason
    else:
        assert 64 == len(claim.signature)
        assert "\n" not in claim.request_id + claim.user_id + claim.timestamp


def test_a_signature_may_be_in_capitals() -> None:
    """Upper-case hex is the same signature."""
    delivery = signed()
    capital = delivery.with_(signature=delivery.headers["X-Fal-Webhook-Signature"].upper())
    verify(read_claim(raw(capital)), delivery.body, KEYS)
