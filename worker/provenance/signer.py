"""A certificate and its key, wherever the key lies, as c2pa-python takes them.

https://opensource.contentauthenticity.org/docs/signing/get-cert : what a certificate has to be.
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

# Without the first of these the SDK refuses leaves that have only C2PA's own purpose:
# claimSigning, emailProtection, documentSigning.
_PURPOSES = "1.3.6.1.4.1.62558.2.1\n1.3.6.1.5.5.7.3.4\n1.3.6.1.5.5.7.3.36"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """What files are signed with.

    `chain`: PEM certificates from the leaf to the last intermediate. `sign` makes a signature of
    bytes. `anchors`: PEM certificates that validation trusts; without them a good signature is
    valid, not trusted.
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
        """Read the certificate, and the key or the command that signs in its place.

        Raises ProvenanceUnusable where they are missing, unreadable or do not belong together, or
        the certificate is not valid `now`, by default at present.
        """
        sdk()
        pem = _text(chain, "FALHOOK_C2PA_CERT")
        leaf = Certificate.parse(pem)
        leaf.require_valid(now)
        if (key is None) == (not command):
            raise ProvenanceUnusable(
                "FALHOOK_C2PA_CERT needs either FALHOOK_C2PA_KEY or FALHOOK_C2PA_COMMAND"
            )
        return cls(
            chain=pem,
            leaf=leaf,
            sign=_by_key(key, leaf) if key else SigningCommand.parse(command, leaf),
            tsa=_address(tsa),
            anchors=roots(Path(anchors)) if anchors else "",
        )

    def settings(self) -> Mapping[str, object]:
        """The SDK's settings: no network but the time stamp's, no thumbnails."""
        return reading(self.anchors) | {
            "builder": {"thumbnail": {"enabled": False}},
            "core": {"allowed_network_hosts": [urlsplit(self.tsa).hostname] if self.tsa else []},
        }


def reading(anchors: str) -> dict[str, object]:
    """The SDK's settings for reading: nothing is fetched, these certificates are trusted."""
    trust = {"trust_config": _PURPOSES} | ({"user_anchors": anchors} if anchors else {})
    verify = {"verify_trust": True, "remote_manifest_fetch": False, "ocsp_fetch": False}
    return {"verify": verify, "trust": trust, "core": {"allowed_network_hosts": []}}


def roots(path: Path, setting: str = "FALHOOK_C2PA_ANCHORS") -> str:
    """The PEM certificates at `path`, to be trusted.

    Raises ProvenanceUnusable, which names the setting, where there are none.
    """
    sdk()
    pem = _text(path, setting)
    try:
        cryptography("x509").load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise ProvenanceUnusable(
            f"{setting} names a file without PEM certificates: {path}"
        ) from error
    return pem


def _text(path: Path, setting: str) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ProvenanceUnusable(f"{setting} names no PEM file that can be read: {path}") from error


def _address(tsa: str) -> str | None:
    try:
        parts = urlsplit(tsa)
    except ValueError:
        parts = urlsplit("")
    if tsa and not (parts.scheme in {"http", "https"} and parts.hostname):
        raise ProvenanceUnusable("FALHOOK_C2PA_TSA is no URL of http or https")
    return tsa or None


def _by_key(path: Path, leaf: Certificate) -> Callable[[bytes], bytes]:
    serialization = cryptography("hazmat.primitives.serialization")
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise ProvenanceUnusable("FALHOOK_C2PA_KEY names no unlocked PEM key") from error
    return leaf.signing(key)
