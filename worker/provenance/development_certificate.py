"""A certificate chain for development: a root, an intermediate, and a leaf that may sign claims.

Only readers that are configured with the root trust it. The public needs a certificate from an
authority on the C2PA trust list.
"""

import errno
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from worker.provenance.sdk import cryptography, sdk

DAYS = 365
CHAIN, KEY, ROOT = "chain.pem", "key.pem", "root.pem"
# claimSigning, which C2PA requires, and emailProtection, which older readers require.
_PURPOSES = ("1.3.6.1.4.1.62558.2.1", "1.3.6.1.5.5.7.3.4")


def make_chain(directory: Path, *, now: datetime | None = None) -> dict[str, Path]:
    """Write chain.pem, key.pem (readable by its owner alone) and root.pem into `directory`.

    Raises FileExistsError, and writes no file, if one of them exists already. Raises
    ProvenanceUnusable if the packages for this are not installed.
    """
    sdk()
    for name in (CHAIN, KEY, ROOT):
        if os.path.lexists(directory / name):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), directory / name)
    begins = (now or datetime.now(UTC)) - timedelta(minutes=5)
    root = _Party.named("falhook development root", is_authority=True)
    middle = _Party.named("falhook development authority", is_authority=True)
    leaf = _Party.named("falhook development signer", is_authority=False)
    chain = leaf.certified_by(middle, begins) + middle.certified_by(root, begins)
    directory.mkdir(parents=True, exist_ok=True)
    return {
        CHAIN: _write(directory / CHAIN, chain),
        KEY: _write(directory / KEY, leaf.private(), mode=0o600),
        ROOT: _write(directory / ROOT, root.certified_by(root, begins)),
    }


def _write(path: Path, data: bytes, mode: int = 0o644) -> Path:
    path.touch(mode=mode, exist_ok=False)
    path.write_bytes(data)
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class _Party:
    """The owner of a key: an authority, or a signer of files."""

    subject: Any
    key: Any
    is_authority: bool

    @classmethod
    def named(cls, name: str, *, is_authority: bool) -> "_Party":
        x509, ec = cryptography("x509"), cryptography("hazmat.primitives.asymmetric.ec")
        names = {
            x509.oid.NameOID.ORGANIZATION_NAME: "falhook development",
            x509.oid.NameOID.COMMON_NAME: name,
        }
        subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in names.items()])
        key = ec.generate_private_key(ec.SECP256R1())
        return cls(subject=subject, key=key, is_authority=is_authority)

    def certified_by(self, issuer: "_Party", begins: datetime) -> bytes:
        """Return a PEM certificate of this party's key."""
        x509 = cryptography("x509")
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.subject)
            .issuer_name(issuer.subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(begins + timedelta(days=DAYS))
        )
        for extension, critical in self._extensions(issuer):
            builder = builder.add_extension(extension, critical=critical)
        signed = builder.sign(issuer.key, cryptography("hazmat.primitives.hashes").SHA256())
        encoding = cryptography("hazmat.primitives.serialization").Encoding.PEM
        return bytes(signed.public_bytes(encoding))

    def private(self) -> bytes:
        """Return the key as unencrypted PEM."""
        forms = cryptography("hazmat.primitives.serialization")
        form = (forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption())
        return bytes(self.key.private_bytes(*form))

    def _extensions(self, issuer: "_Party") -> list[tuple[Any, bool]]:
        x509 = cryptography("x509")
        usage = dict.fromkeys(
            (
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "encipher_only",
                "decipher_only",
            ),
            False,
        ) | {
            "digital_signature": not self.is_authority,
            "key_cert_sign": self.is_authority,
            "crl_sign": self.is_authority,
        }
        identifier, own = x509.AuthorityKeyIdentifier, x509.SubjectKeyIdentifier
        extensions = [
            (x509.BasicConstraints(ca=self.is_authority, path_length=None), True),
            (x509.KeyUsage(**usage), True),
            (own.from_public_key(self.key.public_key()), False),
            (identifier.from_issuer_public_key(issuer.key.public_key()), False),
        ]
        if not self.is_authority:
            purposes = [x509.ObjectIdentifier(oid) for oid in _PURPOSES]
            extensions.append((x509.ExtendedKeyUsage(purposes), False))
        return extensions
