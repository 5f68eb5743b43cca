"""Data URIs (RFC 2397)."""

import base64
import re
from urllib.parse import unquote, unquote_to_bytes

# Spelled as https://fetch.spec.whatwg.org/#data-urls reads it, a blank after it included.
_BASE64 = re.compile(r"; *base64\s*\Z", re.IGNORECASE)


def decode(uri: str) -> bytes:
    """Return the bytes in a data URI. Raises ValueError if its base64 cannot be decoded.

    The padding of base64 may be missing, as for browsers.
    """
    head, _, body = uri.partition(",")
    if not _BASE64.search(head):
        return unquote_to_bytes(body)
    # Programs break its lines: https://www.rfc-editor.org/rfc/rfc2045#section-6.8
    text = "".join(unquote(body).split()).rstrip("=")
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
