"""The certificate of who signs: its key, its name, its time.

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
    """A certificate that signs; `algorithm` is the SDK's name of its kind of key."""

    algorithm: str
    subject: str
    public_key: Any
    begins: datetime
    ends: datetime

    @classmethod
    def parse(cls, chain: str) -> Self:
        """The first certificate of a PEM chain. Raises ProvenanceUnusable where there is none."""
        try:
            found = cryptography("x509").load_pem_x509_certificate(chain.encode())
        except ValueError as error:
            raise ProvenanceUnusable("FALHOOK_C2PA_CERT holds no PEM certificate") from error
        return cls(
            algorithm=_algorithm(found.public_key()),
            subject=str(found.subject.rfc4514_string()),
            public_key=found.public_key(),
            begins=found.not_valid_before_utc,
            ends=found.not_valid_after_utc,
        )

    def require_valid(self, now: datetime | None = None) -> None:
        """Return if it is valid at that time, else at present; raises ProvenanceUnusable."""
        now = now or datetime.now(UTC)
        if now > self.ends:
            raise _out_of_time(f"ended on {self.ends:%Y-%m-%d}: renew it")
        if now < self.begins:
            raise _out_of_time(f"begins on {self.begins:%Y-%m-%d}: see this machine's clock")

    def signing(self, key: Any) -> Callable[[bytes], bytes]:
        """What signs with this private key. Raises ProvenanceUnusable where it is another's."""
        if key.public_key() != self.public_key:
            raise ProvenanceUnusable("FALHOOK_C2PA_KEY is not the key of FALHOOK_C2PA_CERT")
        scheme = self._scheme()
        return lambda data: bytes(key.sign(data, *scheme))

    def has_signed(self, data: bytes, signature: bytes) -> bool:
        """Whether the signature, DER or raw, is one of its key over these bytes."""
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
            case elliptic:
                digest = {"ES256": hashes.SHA256, "ES384": hashes.SHA384, "ES512": hashes.SHA512}
                return (cryptography(f"{asymmetric}.ec").ECDSA(digest[elliptic]()),)

    def _der(self, signature: bytes) -> bytes:
        """A raw elliptic signature, r and s of the same length, as DER."""
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
        "FALHOOK_C2PA_CERT has a key that C2PA does not know: use P-256, P-384, P-521, Ed25519,"
        " or RSA of 2048 bits and more"
    )


def _out_of_time(when: str) -> ProvenanceUnusable:
    return ProvenanceUnusable(f"FALHOOK_C2PA_CERT holds a certificate that {when}")
