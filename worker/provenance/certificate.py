"""The signing certificate: its key, its subject, its validity.

Algorithms: https://spec.c2pa.org/specifications/specifications/2.2/specs/C2PA_Specification.html
(Digital Signatures).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from worker.provenance.sdk import ProvenanceUnusable, cryptography

_BITS = {256: "ES256", 384: "ES384", 521: "ES512"}
_WEAK_RSA = 2047


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate of a signing key; `algorithm` is the SDK's name for its kind."""

    algorithm: str
    subject: str
    public_key: Any
    begins: datetime
    ends: datetime

    @classmethod
    def parse(cls, chain: str) -> Self:
        """Parse the first certificate of a PEM chain. Raises ProvenanceUnusable if it has none."""
        try:
            certificate = cryptography("x509").load_pem_x509_certificate(chain.encode())
        except ValueError as error:
            raise ProvenanceUnusable("FALHOOK_C2PA_CERT has no PEM certificate") from error
        return cls(
            algorithm=_algorithm(certificate.public_key()),
            subject=str(certificate.subject.rfc4514_string()),
            public_key=certificate.public_key(),
            begins=certificate.not_valid_before_utc,
            ends=certificate.not_valid_after_utc,
        )

    def require_valid(self, now: datetime | None = None) -> None:
        """Raise ProvenanceUnusable unless it is valid `now`, by default at the current time."""
        now = now or datetime.now(UTC)
        if now > self.ends:
            raise _not_valid(f"expired on {self.ends:%Y-%m-%d}: renew it")
        if now < self.begins:
            raise _not_valid(f"begins on {self.begins:%Y-%m-%d}: check this machine's clock")

    def signing(self, key: Any) -> Callable[[bytes], bytes]:
        """Return a function that signs with `key`. Raises ProvenanceUnusable if it is another's."""
        if key.public_key() != self.public_key:
            raise ProvenanceUnusable("FALHOOK_C2PA_KEY is not the key of FALHOOK_C2PA_CERT")
        scheme = self._scheme()
        return lambda data: bytes(key.sign(data, *scheme))

    def has_signed(self, data: bytes, signature: bytes) -> bool:
        """Return whether its key signed these bytes; the signature may be DER or raw."""
        invalid = cryptography("exceptions").InvalidSignature
        for form in (signature, self._der(signature)):
            try:
                self.public_key.verify(form, data, *self._scheme())
            except invalid:
                continue
            return True
        return False

    def _scheme(self) -> tuple[Any, ...]:
        hashes = cryptography("hazmat.primitives.hashes")
        asymmetric = "hazmat.primitives.asymmetric"
        match self.algorithm:
            case "ED25519":
                return ()
            case "PS256":
                padding = cryptography(f"{asymmetric}.padding")
                salt = hashes.SHA256().digest_size
                return padding.PSS(padding.MGF1(hashes.SHA256()), salt), hashes.SHA256()
            case ecdsa:
                hash_of = {"ES256": hashes.SHA256, "ES384": hashes.SHA384, "ES512": hashes.SHA512}
                return (cryptography(f"{asymmetric}.ec").ECDSA(hash_of[ecdsa]()),)

    def _der(self, signature: bytes) -> bytes:
        """Convert a raw elliptic signature, r and s of the same length, to DER."""
        if not self.algorithm.startswith("ES"):
            return signature
        half = len(signature) // 2
        numbers = int.from_bytes(signature[:half]), int.from_bytes(signature[half:])
        return bytes(
            cryptography("hazmat.primitives.asymmetric.utils").encode_dss_signature(*numbers)
        )


def _algorithm(key: Any) -> str:
    match type(key).__name__, getattr(key, "key_size", 0):
        case "ECPublicKey", bits if bits in _BITS:
            return _BITS[bits]
        case "Ed25519PublicKey", _:
            return "ED25519"
        case "RSAPublicKey", bits if bits > _WEAK_RSA:
            return "PS256"
    raise ProvenanceUnusable(
        "FALHOOK_C2PA_CERT has a key that C2PA does not support: use P-256, P-384, P-521, Ed25519,"
        " or RSA of at least 2048 bits"
    )


def _not_valid(when: str) -> ProvenanceUnusable:
    return ProvenanceUnusable(f"FALHOOK_C2PA_CERT has a certificate that {when}")
