"""A certificate and its key, wherever the key lies, as c2pa-python takes them.

https://opensource.contentauthenticity.org/docs/signing/get-cert : what a certificate has to be.
"""

import importlib
import shlex
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from worker.failures import Failure, Permanent, Transient

COMMAND_SECONDS = 30  # that a signing command may take: one call of a key service
SIGNATURE_BYTES = 4096  # that it may answer with
# Without the first of these the SDK refuses leaves that have only C2PA's own purpose:
# claimSigning, emailProtection, documentSigning.
_PURPOSES = "1.3.6.1.4.1.62558.2.1\n1.3.6.1.5.5.7.3.4\n1.3.6.1.5.5.7.3.36"


class ProvenanceUnusable(Exception):
    """Files cannot be signed here as the settings ask; the message has the cure."""


def sdk() -> Any:  # the package is optional, and has no types
    """The c2pa package. Raises ProvenanceUnusable without it."""
    try:
        return importlib.import_module("c2pa")
    except ImportError as error:
        raise ProvenanceUnusable(
            "FALHOOK_C2PA_CERT needs the package c2pa-python: pip install 'falhook[provenance]'"
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What files are signed with.

    `chain`: PEM certificates from the leaf to the last intermediate. `sign` makes a signature of
    bytes. `algorithm` is the SDK's name of the leaf's kind of key. `anchors`: PEM certificates
    that validation trusts; without them a good signature is valid, not trusted.
    """

    chain: str
    algorithm: str
    signer: str
    sign: Callable[[bytes], bytes]
    tsa: str | None = None
    anchors: str = ""

    @classmethod
    def load(cls, chain: Path, *, key: Path | None, command: str, tsa: str, anchors: str) -> Self:
        """Read the certificate, and the key or the command that signs in its place.

        Raises ProvenanceUnusable where they are missing, unreadable or do not belong together.
        """
        sdk()
        pem = _text(chain, "FALHOOK_C2PA_CERT")
        algorithm, signer = _leaf(pem)
        if (key is None) == (not command):
            raise ProvenanceUnusable(
                "FALHOOK_C2PA_CERT needs either FALHOOK_C2PA_KEY or FALHOOK_C2PA_COMMAND"
            )
        sign = _by_key(key, pem) if key else _by_command(shlex.split(command))
        trusted = _text(Path(anchors), "FALHOOK_C2PA_ANCHORS") if anchors else ""
        return cls(
            chain=pem,
            algorithm=algorithm,
            signer=signer,
            sign=sign,
            tsa=tsa or None,
            anchors=trusted,
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


def _text(path: Path, setting: str) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ProvenanceUnusable(f"{setting} names no PEM file that can be read: {path}") from error


def _leaf(pem: str) -> tuple[str, str]:
    """The SDK's name of the leaf's kind of key, and whose certificate it is."""
    x509 = importlib.import_module("cryptography.x509")
    try:
        leaf = x509.load_pem_x509_certificate(pem.encode())
    except ValueError as error:
        raise ProvenanceUnusable("FALHOOK_C2PA_CERT holds no PEM certificate") from error
    return _algorithm(leaf.public_key()), str(leaf.subject.rfc4514_string())


def _algorithm(key: Any) -> str:
    match type(key).__name__, getattr(key, "key_size", 0):
        case "ECPublicKey", (256 | 384 | 521) as bits:
            return {256: "ES256", 384: "ES384", 521: "ES512"}[bits]
        case "Ed25519PublicKey", _:
            return "ED25519"
        case "RSAPublicKey", bits if bits >= 2048:  # noqa: PLR2004
            return "PS256"
    raise ProvenanceUnusable(
        "FALHOOK_C2PA_CERT has a key that C2PA does not know: use P-256, P-384, P-521, Ed25519,"
        " or RSA of 2048 bits and more"
    )


def _by_key(path: Path, chain: str) -> Callable[[bytes], bytes]:
    serialization = importlib.import_module("cryptography.hazmat.primitives.serialization")
    x509 = importlib.import_module("cryptography.x509")
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise ProvenanceUnusable("FALHOOK_C2PA_KEY names no unlocked PEM key") from error
    if key.public_key() != x509.load_pem_x509_certificate(chain.encode()).public_key():
        raise ProvenanceUnusable("FALHOOK_C2PA_KEY is not the key of FALHOOK_C2PA_CERT")
    return _signing(key)


def _signing(key: Any) -> Callable[[bytes], bytes]:
    hashes = importlib.import_module("cryptography.hazmat.primitives.hashes")
    asymmetric = "cryptography.hazmat.primitives.asymmetric"
    match _algorithm(key.public_key()):
        case "ED25519":
            return lambda data: bytes(key.sign(data))
        case "PS256":
            padding = importlib.import_module(f"{asymmetric}.padding")
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256().digest_size)
            return lambda data: bytes(key.sign(data, pss, hashes.SHA256()))
        case elliptic:
            ec = importlib.import_module(f"{asymmetric}.ec")
            digest = {"ES256": hashes.SHA256, "ES384": hashes.SHA384, "ES512": hashes.SHA512}
            return lambda data: bytes(key.sign(data, ec.ECDSA(digest[elliptic]())))


def _by_command(command: list[str]) -> Callable[[bytes], bytes]:
    def sign(data: bytes) -> bytes:
        """The signature that the command writes; it gets the bytes to sign."""
        try:
            done = subprocess.run(
                command, input=data, capture_output=True, check=True, timeout=COMMAND_SECONDS
            )
        except OSError as error:
            raise _unsigned("could not be started", Permanent) from error
        except subprocess.TimeoutExpired as error:
            raise _unsigned(f"took more than {COMMAND_SECONDS} s", Transient) from error
        except subprocess.CalledProcessError as error:
            raise _unsigned(f"ended with exit code {error.returncode}", Transient) from error
        if not 0 < len(done.stdout) <= SIGNATURE_BYTES:
            raise _unsigned("gave no signature", Transient)
        return done.stdout

    return sign


def _unsigned(what: str, kind: type[Failure]) -> Failure:
    return kind("signing_failed", f"the command of FALHOOK_C2PA_COMMAND {what}")
