"""The envelope of a message in Redis, as kombu writes it; parsed before kombu relies on it.

kombu's virtual transports take every entry of a list for one of their own: JSON with `body`,
`content-type`, `content-encoding`, `headers` and `properties`
(https://docs.celeryq.dev/projects/kombu/en/stable/reference/kombu.transport.virtual.html).
"""

import binascii
import json
from base64 import b64decode
from collections.abc import Mapping

Envelope = dict[str, object]


class InvalidMessage(Exception):
    """This is not a message for a Celery task; `reason` is a reason code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def parse_envelope(entry: bytes | str, queue: str) -> Envelope:
    """Return the envelope of a list's entry, complete enough for kombu. Raises InvalidMessage."""
    envelope = _object(entry)
    properties = envelope.get("properties")
    if not isinstance(properties, dict):
        raise InvalidMessage("no_properties")
    tag = properties.get("delivery_tag")
    if not isinstance(tag, str) or not tag:
        raise InvalidMessage("no_delivery_tag")
    headers = envelope.get("headers")
    if headers is not None and not isinstance(headers, dict):
        raise InvalidMessage("bad_headers")
    _check_text(envelope, "content-type", "content-encoding")
    _check_body(envelope.get("body"), properties)
    return {
        **envelope,
        "headers": headers or {},
        "properties": {**properties, "delivery_info": _delivery_info(properties, queue)},
    }


def _object(entry: bytes | str) -> Envelope:
    try:
        envelope = json.loads(entry)
    except (ValueError, RecursionError):
        raise InvalidMessage("not_json") from None
    if not isinstance(envelope, dict):
        raise InvalidMessage("not_an_object")
    return envelope


def _check_text(envelope: Mapping[str, object], *names: str) -> None:
    for name in names:
        if not isinstance(envelope.get(name), str | None):
            raise InvalidMessage("bad_content_type")


def _check_body(body: object, properties: Mapping[str, object]) -> None:
    encoding = properties.get("body_encoding")
    if not isinstance(body, str):
        raise InvalidMessage("no_body")
    if encoding not in {None, "", "base64"}:
        raise InvalidMessage("bad_body_encoding")
    if encoding == "base64":
        try:
            b64decode(body)
        except (ValueError, binascii.Error):
            raise InvalidMessage("bad_body_encoding") from None


def _delivery_info(properties: Mapping[str, object], queue: str) -> dict[str, object]:
    """Return where the message came from, and so where it goes back to: always this queue."""
    info = properties.get("delivery_info")
    return {**(info if isinstance(info, dict) else {}), "exchange": "", "routing_key": queue}
