"""The signing keys of the simulated fal, and the headers of a signed callback.

https://docs.fal.ai/documentation/model-apis/inference/webhooks
"""

import base64
import hashlib

from nacl.signing import SigningKey


class KeyRing:
    """The published signing keys, the newest of which signs; `unpublished` is never published."""

    def __init__(self) -> None:
        self._keys = [SigningKey.generate()]
        self.unpublished = SigningKey.generate()

    @property
    def signing(self) -> SigningKey:
        """Return the current signing key."""
        return self._keys[0]

    def rotate(self, *, keep: bool) -> None:
        """Sign with a new key from now on; keep publishing the older ones only with `keep`."""
        self._keys = [SigningKey.generate(), *(self._keys if keep else [])]

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return the JSON Web Key Set (RFC 8037) of the published keys, with unpadded `x`."""
        return {"keys": [_jwk(key) for key in self._keys]}


def _jwk(key: SigningKey) -> dict[str, str]:
    x = base64.urlsafe_b64encode(bytes(key.verify_key)).rstrip(b"=").decode()
    return {"crv": "Ed25519", "kty": "OKP", "x": x}


def signed_headers(
    *, key: SigningKey, request_id: str, user_id: str, timestamp: int, body: bytes
) -> dict[str, str]:
    """Return the signed headers of `body`: ids, Unix seconds and a hex Ed25519 signature."""
    parts = (request_id, user_id, str(timestamp), hashlib.sha256(body).hexdigest())
    signature = key.sign("\n".join(parts).encode()).signature
    return {
        "Content-Type": "application/json",
        "X-Fal-Webhook-Request-Id": request_id,
        "X-Fal-Webhook-User-Id": user_id,
        "X-Fal-Webhook-Timestamp": str(timestamp),
        "X-Fal-Webhook-Signature": signature.hex(),
    }
