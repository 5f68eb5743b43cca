"""Signing of one file in place, verified by reading it back."""

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from worker.errors import Failure, Permanent, Transient
from worker.formats.media_types import CONTENT_TYPES
from worker.provenance.claim_verdict import UNTRUSTED
from worker.provenance.reader import CredentialsReport, show
from worker.provenance.sdk import sdk
from worker.provenance.signer import Signer

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

PARENT = "parent"  # the id that a manifest's actions use for the file that was opened
_GOOD = frozenset({"Valid", "Trusted"})
# The SDK's error if a request to the authority fails, or its response is not a time stamp.
_NO_STAMP = "Signature: internal error"
_SIGNED = "signed-"  # prefix of the copy that is being signed


def sign(
    path: Path,
    manifest: Mapping[str, object],
    signer: Signer,
    *,
    parent: Path | None = None,
) -> CredentialsReport:
    """Sign the file at `path` with this manifest; return its credentials, read back.

    `parent`: the file that was opened, if the manifest says that one was. The credentials are
    validated with the signer's anchors if it has any, and get a time stamp if an authority is
    configured. No other file is left next to `path`, even after a failure.

    Raises `Permanent` (signing_refused) if the certificate or the file is refused, `Transient`
    (timestamp_unavailable), and what the signer raises.
    """
    signed = path.with_name(_SIGNED + path.name)
    try:
        _write(path, signed, manifest, signer, parent)
        report = _verify(path, signed, signer)
        signed.replace(path)
    finally:
        signed.unlink(missing_ok=True)
    return report


class _Target(io.BufferedRandom):
    """A file that keeps its last OSError, which the SDK's error does not mention."""

    failure: OSError | None = None

    def write(self, data: "ReadableBuffer") -> int:
        """Write like any file; keep an error in `failure`."""
        try:
            return super().write(data)
        except OSError as error:
            self.failure = error
            raise

    def flush(self) -> None:
        """Flush like any file; keep an error in `failure`."""
        try:
            super().flush()
        except OSError as error:
            self.failure = error
            raise


def _write(
    path: Path,
    signed: Path,
    manifest: Mapping[str, object],
    signer: Signer,
    parent: Path | None,
) -> None:
    c2pa, failures = sdk(), list[Failure]()
    try:
        context = c2pa.Context.from_dict(signer.settings())
        with (
            _sdk_signer(c2pa, signer, failures.append) as sdk_signer,
            c2pa.Builder(manifest, context=context) as builder,
        ):
            if parent:
                _add_parent(builder, parent)
            with path.open("rb") as source, _Target(io.FileIO(signed, "w+")) as target:
                try:
                    builder.sign(sdk_signer, CONTENT_TYPES[path.suffix], source, target)
                except c2pa.C2paError:
                    if target.failure:
                        raise target.failure from None
                    raise
    except c2pa.C2paError as error:
        raise next(iter(failures), _sdk_failure(path, signer, str(error))) from error


def _sdk_signer(c2pa: Any, signer: Signer, report: Callable[[Failure], None]) -> Any:
    """Return the SDK's signer; `report` gets its failures, which the SDK's error omits."""

    def sign_bytes(data: bytes) -> bytes:
        try:
            return signer.sign(data)
        except Failure as failure:
            report(failure)
            raise

    algorithm = getattr(c2pa.C2paSigningAlg, signer.leaf.algorithm)
    return c2pa.Signer.from_callback(sign_bytes, algorithm, signer.chain, signer.tsa)


def _add_parent(builder: Any, parent: Path) -> None:
    ingredient = {"title": parent.name, "relationship": "parentOf", "instance_id": PARENT}
    with parent.open("rb") as stream:
        builder.add_ingredient(json.dumps(ingredient), CONTENT_TYPES[parent.suffix], stream)


def _verify(path: Path, signed: Path, signer: Signer) -> CredentialsReport:
    try:
        report = show(signed, signer.anchors)
    except ValueError as error:
        raise _refused(path, str(error)) from error
    if report is None:
        raise _refused(path, "it has no credentials after signing")
    if signer.anchors and UNTRUSTED in report.own.failures:
        raise _refused(
            path,
            "its certificate does not lead to any of FALHOOK_C2PA_ANCHORS; add its root there, and"
            " every certificate between the two to FALHOOK_C2PA_CERT",
        )
    state = report.own.state
    if state not in _GOOD or (signer.anchors and state != "Trusted"):
        failures = ", ".join(report.own.failures) or "something of it was not checked"
        raise _refused(path, f"after signing, our claim is {state}: {failures}")
    return report


def _sdk_failure(path: Path, signer: Signer, message: str) -> Failure:
    """Return the failure that an error of the SDK means; it has no class for time stamps."""
    if signer.tsa and message.startswith(_NO_STAMP):
        # The URL may contain a password.
        host = f"{urlsplit(signer.tsa).hostname} (FALHOOK_C2PA_TSA)"
        cause = _printable(message.partition(" for url ")[0].replace(signer.tsa, host))
        return Transient("timestamp_unavailable", f"{host} did not return a time stamp: {cause}")
    if "certificate" in message:
        message += "; check FALHOOK_C2PA_CERT"
    return _refused(path, message)


def _refused(path: Path, message: str) -> Permanent:
    return Permanent("signing_refused", f"{path.name} could not be signed: {_printable(message)}")


def _printable(message: str) -> str:
    return "".join(filter(str.isprintable, message))[:300]
