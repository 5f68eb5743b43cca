"""Checks of a callback's headers and signature, without I/O.

https://docs.fal.ai/documentation/model-apis/inference/webhooks : the signed message is request
id, user id, timestamp and the hex SHA-256 of the raw body, joined by line feeds, signed with
Ed25519 by any one of fal's published keys.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

# "Reject timestamps that differ by more than 5 minutes", in seconds.
TOLERANCE = 300.0

_REQUEST_ID = b"x-fal-webhook-request-id"
_USER_ID = b"x-fal-webhook-user-id"
_TIMESTAMP = b"x-fal-webhook-timestamp"
_SIGNATURE = b"x-fal-webhook-signature"
# Line feeds are refused: they would shift the boundaries within the signed message.
_HEADERS = {
    _REQUEST_ID: re.compile(rb"[A-Za-z0-9_.:-]{1,64}"),
    _USER_ID: re.compile(rb"[\x21-\x7e]{1,128}"),
    _TIMESTAMP: re.compile(rb"[0-9]{1,11}"),
    _SIGNATURE: re.compile(rb"[0-9a-fA-F]{128}"),
}


class Rejected(Exception):
    """The callback is refused; `reason` is the reason code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ForeignAccount(Rejected):
    """The callback is of `account`, which is not one of ours."""

    def __init__(self, account: str) -> None:
        super().__init__("foreign_account")
        self.account = account


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedClaim:
    """The values of the four headers, well-formed but not yet verified."""

    request_id: str
    user_id: str
    timestamp: str
    signature: bytes


def read_claim(headers: Iterable[tuple[bytes, bytes]]) -> SignedClaim:
    """Return the claim in a request's raw headers (names in lower case).

    Raises Rejected("bad_headers") unless each of the four occurs exactly once and is well-formed.
    """
    claimed: dict[bytes, bytes] = {}
    for name, value in headers:
        form = _HEADERS.get(name)
        if form is not None:
            if name in claimed or form.fullmatch(value) is None:
                raise Rejected("bad_headers")
            claimed[name] = value
    if len(claimed) != len(_HEADERS):
        raise Rejected("bad_headers")
    return SignedClaim(
        request_id=claimed[_REQUEST_ID].decode(),
        user_id=claimed[_USER_ID].decode(),
        timestamp=claimed[_TIMESTAMP].decode(),
        signature=bytes.fromhex(claimed[_SIGNATURE].decode()),
    )


def check_time(claim: SignedClaim, now: float) -> None:
    """Raise Rejected("stale_timestamp") beyond TOLERANCE of `now` (Unix seconds)."""
    if abs(now - int(claim.timestamp)) > TOLERANCE:
        raise Rejected("stale_timestamp")


def check_account(claim: SignedClaim, user_ids: Iterable[str]) -> None:
    """Raise ForeignAccount unless the claim names one of `user_ids`."""
    claimed = claim.user_id.encode()
    equal = [hmac.compare_digest(user_id.encode(), claimed) for user_id in user_ids]
    if not any(equal):
        raise ForeignAccount(claim.user_id)


def verify(claim: SignedClaim, body: bytes, keys: Sequence[VerifyKey]) -> None:
    """Raise Rejected("bad_signature") unless one of `keys` signed claim and raw body."""
    digest = hashlib.sha256(body).hexdigest()
    message = "\n".join((claim.request_id, claim.user_id, claim.timestamp, digest)).encode()
    for key in keys:
        try:
            key.verify(message, claim.signature)
        except BadSignatureError:
            continue
        return
    raise Rejected("bad_signature")
