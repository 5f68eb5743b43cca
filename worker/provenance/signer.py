"""A certificate and its key, which may be in a file or behind a command, for c2pa-python.

https://opensource.contentauthenticity.org/docs/signing/get-cert : requirements of a certificate.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from worker.provenance.certificate import Certificate
from worker.provenance.sdk import ProvenanceUnusable, cryptography, sdk
from worker.provenance.signing_command import SigningCommand

# claimSigning, emailProtection, documentSigning. Without the first the SDK refuses leaves that have
# no other purpose.
_PURPOSES = "1.3.6.1.4.1.62558.2.1\n1.3.6.1.5.5.7.3.4\n1.3.6.1.5.5.7.3.36"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A certificate chain, and a function that signs bytes with the leaf's key.

    `chain`: PEM certificates from the leaf to the last intermediate. `tsa`: the URL of a time
    stamp authority. `anchors`: PEM certificates that validation trusts; without them a good
    signature is Valid, not Trusted.
    """

    chain: str
    leaf: Certificate
    sign: Callable[[bytes], bytes]
    tsa: str | None = None
    anchors: str = ""

    @classmethod
    def load(
        cls,
        chain: Path,
        *,
        key: Path | None,
        command: str,
        tsa: str,
        anchors: str,
        now: datetime | None = None,
    ) -> Self:
        """Read the certificate, and either its key or the command that signs instead.

        Raises ProvenanceUnusable if they are missing, unreadable or do not match, or if the
        certificate is not valid `now`, by default at the current time.
        """
        sdk()
        pem = _text(chain, "FALHOOK_C2PA_CERT")
        leaf = Certificate.parse(pem)
        leaf.require_valid(now)
        if (key is None) == (not command):
            raise ProvenanceUnusable(
                "FALHOOK_C2PA_CERT requires either FALHOOK_C2PA_KEY or FALHOOK_C2PA_COMMAND"
            )
        return cls(
            chain=pem,
            leaf=leaf,
            sign=_by_key(key, leaf) if key else SigningCommand.parse(command, leaf),
            tsa=_address(tsa),
            anchors=roots(Path(anchors)) if anchors else "",
        )

    def settings(self) -> Mapping[str, object]:
        """Return the SDK's settings: no thumbnails, no network except the time stamp authority."""
        return reading(self.anchors) | {
            "builder": {"thumbnail": {"enabled": False}},
            "core": {"allowed_network_hosts": [urlsplit(self.tsa).hostname] if self.tsa else []},
        }


def reading(anchors: str) -> dict[str, object]:
    """Return the SDK's settings for reading: trust these certificates, fetch nothing."""
    trust = {"trust_config": _PURPOSES} | ({"user_anchors": anchors} if anchors else {})
    verify = {"verify_trust": True, "remote_manifest_fetch": False, "ocsp_fetch": False}
    return {"verify": verify, "trust": trust, "core": {"allowed_network_hosts": []}}


def roots(path: Path, setting: str = "FALHOOK_C2PA_ANCHORS") -> str:
    """Read the PEM certificates to trust from `path`.

    Raises ProvenanceUnusable, which names the setting, if there are none.
    """
    sdk()
    pem = _text(path, setting)
    try:
        cryptography("x509").load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise ProvenanceUnusable(f"{setting} is {path}, which has no PEM certificates") from error
    return pem


def _text(path: Path, setting: str) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ProvenanceUnusable(
            f"{setting} is {path}, which is not a readable PEM file"
        ) from error


def _address(tsa: str) -> str | None:
    try:
        parts = urlsplit(tsa)
    except ValueError:
        parts = urlsplit("")
    if tsa and not (parts.scheme in {"http", "https"} and parts.hostname):
        raise ProvenanceUnusable("FALHOOK_C2PA_TSA must be an http or https URL")
    return tsa or None


def _by_key(path: Path, leaf: Certificate) -> Callable[[bytes], bytes]:
    serialization = cryptography("hazmat.primitives.serialization")
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise ProvenanceUnusable(
            f"FALHOOK_C2PA_KEY is {path}, which is not a readable, unencrypted PEM key"
        ) from error
    return leaf.signing(key)
