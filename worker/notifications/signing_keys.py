"""The keys with which an endpoint's messages are signed, as Standard Webhooks describes them.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

v1    HMAC-SHA256 with a secret that both sides have: `whsec_` and base64
v1a   Ed25519: falhook has the private key, receivers the public one: `whpk_` and base64
"""

import hashlib
import hmac
import json
import secrets
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox
from nacl.signing import SigningKey

SECRET, PUBLIC_KEY = "whsec_", "whpk_"
_BYTES = 32
# What is sealed is sealed for nothing else.
_PURPOSE = b"falhook webhook keys"


class UnreadableKeys(Exception):
    """Keys that no secret of FALHOOK_SECRET opens: the one that sealed them is gone."""


@dataclass(frozen=True, slots=True, repr=False)
class SigningKeys:
    """One pair of keys; `repr` hides them."""

    hmac_key: bytes
    seed: bytes

    @classmethod
    def make(cls) -> Self:
        """Return new keys."""
        return cls(secrets.token_bytes(_BYTES), secrets.token_bytes(_BYTES))

    @property
    def secret(self) -> str:
        """The secret of v1, for the receiver alone."""
        return SECRET + b64encode(self.hmac_key).decode()

    @property
    def public_key(self) -> str:
        """The public key of v1a."""
        return PUBLIC_KEY + b64encode(bytes(SigningKey(self.seed).verify_key)).decode()

    def signatures(self, message: bytes) -> Sequence[str]:
        """Return the signatures of a message, each with its version."""
        mac = hmac.digest(self.hmac_key, message, hashlib.sha256)
        signed = SigningKey(self.seed).sign(message).signature
        return [f"v1,{b64encode(mac).decode()}", f"v1a,{b64encode(signed).decode()}"]

    def __repr__(self) -> str:
        return "SigningKeys(…)"


class KeySeal:
    """Seals keys for Redis under FALHOOK_SECRET: the first secret seals, all of them open."""

    def __init__(self, secrets_: Sequence[str]) -> None:
        self._boxes = [SecretBox(_derived(secret)) for secret in secrets_]

    def seal(self, keys: SigningKeys) -> str:
        """Return the keys as Redis may have them."""
        pair = [b64encode(part).decode() for part in (keys.hmac_key, keys.seed)]
        return b64encode(self._boxes[0].encrypt(json.dumps(pair).encode())).decode()

    def open(self, sealed: str) -> SigningKeys:
        """Return the keys that `seal` sealed. Raises UnreadableKeys."""
        for box in self._boxes:
            try:
                pair = json.loads(box.decrypt(b64decode(sealed)))
            except (CryptoError, ValueError):
                continue
            return SigningKeys(*map(b64decode, pair))
        raise UnreadableKeys(
            "no secret of FALHOOK_SECRET opens the keys of this endpoint: put the one that sealed "
            "them back into the list, or make new ones with `falhook endpoints rotate`"
        )


def _derived(secret: str) -> bytes:
    return hmac.digest(secret.encode(), _PURPOSE, hashlib.sha256)
