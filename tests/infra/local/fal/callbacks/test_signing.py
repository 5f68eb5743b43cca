"""The signing keys and headers of callbacks."""

import base64

from nacl.signing import SigningKey

from infra.local.fal.callbacks.signing import KeyRing, signed_headers

_ID = "019a9d3e-5b7c-7d10-8f42-0c6a4e21b7aa"
_BODY = (
    f'{{"error": null, "gateway_request_id": "{_ID}", "payload": {{"video": {{"content_type": '
    '"video/mp4", "file_name": "output.mp4", "file_size": 12345678, "url": '
    '"https://v3b.fal.media/files/b/0a1b2c3d/output.mp4"}}, '
    f'"request_id": "{_ID}", "status": "OK"}}'
).encode()
_SIGNATURE = (
    "24c09052d8892141475785e341d3e48935a938b437b76242fb3a510ad453c595"
    "457c6985bba1a5c7964453ff0fd78222eee73262d5a29cd1697e9c8d9574fd0a"
)


def test_the_known_vector_is_reproduced() -> None:
    """A fixed key, body and time yield the known Ed25519 signature."""
    headers = signed_headers(
        key=SigningKey(bytes(range(32))),
        request_id=_ID,
        user_id="user-demo-0001",
        timestamp=1763640000,
        body=_BODY,
    )
    expected = {
        "Content-Type": "application/json",
        "X-Fal-Webhook-Request-Id": _ID,
        "X-Fal-Webhook-User-Id": "user-demo-0001",
        "X-Fal-Webhook-Timestamp": "1763640000",
        "X-Fal-Webhook-Signature": _SIGNATURE,
    }
    assert expected == headers


def test_published_keys_are_unpadded() -> None:
    """`x` is base64url of 32 bytes without padding, like fal's."""
    ring = KeyRing()
    (key,) = ring.jwks()["keys"]
    assert ("OKP", "Ed25519", 43) == (key["kty"], key["crv"], len(key["x"]))
    assert bytes(ring.signing.verify_key) == base64.urlsafe_b64decode(key["x"] + "=")


def test_rotation_drops_old_keys_unless_keep_is_set() -> None:
    """After a rotation a new key signs; the old one stays published only with `keep`."""
    ring = KeyRing()
    (first,) = ring.jwks()["keys"]
    ring.rotate(keep=True)
    second, kept = ring.jwks()["keys"]
    ring.rotate(keep=False)
    (third,) = ring.jwks()["keys"]
    assert first == kept
    assert 3 == len({key["x"] for key in (first, second, third)})
