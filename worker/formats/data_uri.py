"""Data URIs (RFC 2397)."""

import base64
from urllib.parse import unquote, unquote_to_bytes


def decode(uri: str) -> bytes:
    """Return the bytes in a data URI. Raises ValueError if its base64 cannot be decoded."""
    head, _, body = uri.partition(",")
    if not head.lower().endswith(";base64"):
        return unquote_to_bytes(body)
    # Programs break its lines: https://www.rfc-editor.org/rfc/rfc2045#section-6.8
    return base64.b64decode("".join(unquote(body).split()), validate=True)
