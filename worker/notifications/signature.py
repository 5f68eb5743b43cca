"""The headers of a message: its id, its time, and a signature with each key."""

import hashlib
from base64 import b32encode
from collections.abc import Iterable, Mapping

from worker.notifications.signing_keys import SigningKeys


def message_id(endpoint: str, subject: str, n: int) -> str:
    """Return the id of what an endpoint is told: the same for every attempt, re-send and crash."""
    digest = hashlib.sha256(f"{endpoint}\0{subject}\0{n}".encode()).digest()
    return "msg_" + b32encode(digest).decode().lower()[:26]


def signed_headers(
    message: str, body: bytes, keys: Iterable[SigningKeys], *, now: float
) -> Mapping[str, str]:
    """Return the three headers of Standard Webhooks; `now` is the time of this attempt."""
    at = str(int(now))
    content = f"{message}.{at}.".encode() + body
    return {
        "webhook-id": message,
        "webhook-timestamp": at,
        "webhook-signature": " ".join(each for pair in keys for each in pair.signatures(content)),
    }
