"""Signing one file in place, and reading back that it holds."""

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from worker.errors import Failure, Permanent, Transient
from worker.formats.media_types import CONTENT_TYPES
from worker.provenance.reader import CredentialsReport, show
from worker.provenance.sdk import sdk
from worker.provenance.signer import Signer

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

PARENT = "parent"  # the id by which a manifest's actions name the file that was opened
_GOOD = frozenset({"Valid", "Trusted"})
# What the SDK says when a request to the authority fails, or its answer is no time stamp.
_NO_STAMP = "Signature: internal error"
_SIGNED = "signed-"  # prefix of a file that is being signed


def sign(
    path: Path,
    manifest: Mapping[str, object],
    credentials: Signer,
    *,
    parent: Path | None = None,
) -> CredentialsReport:
    """Sign the file at `path` with this manifest; returns how it reads back.

    `parent`: the file that was opened, if the manifest says that one was. The credentials are
    validated against their anchors where there are some, and have a time stamp where an authority
    is configured. Afterwards, or after a failure, nothing else lies beside the file.

    Raises `Permanent` (signing_refused) where a certificate or file is refused, `Transient`
    (timestamp_unavailable), and what the credentials' own signing raises.
    """
    signed = path.with_name(_SIGNED + path.name)
    try:
        _write(path, signed, manifest, credentials, parent)
        shown = _proven(path, signed, credentials)
        signed.replace(path)
    finally:
        signed.unlink(missing_ok=True)
    return shown


class _Target(io.BufferedRandom):
    """A file that keeps why it could not be written: the SDK's error tells of anything else."""

    failure: OSError | None = None

    def write(self, data: "ReadableBuffer") -> int:
        """As of any file; `failure` is the last that was raised."""
        try:
            return super().write(data)
        except OSError as error:
            self.failure = error
            raise

    def flush(self) -> None:
        """The same."""
        try:
            super().flush()
        except OSError as error:
            self.failure = error
            raise


def _write(
    path: Path,
    signed: Path,
    manifest: Mapping[str, object],
    credentials: Signer,
    parent: Path | None,
) -> None:
    c2pa, failures = sdk(), list[Failure]()
    try:
        context = c2pa.Context.from_dict(credentials.settings())
        with (
            _signer(c2pa, credentials, failures.append) as signer,
            c2pa.Builder(manifest, context=context) as builder,
        ):
            if parent:
                _add(builder, parent)
            with path.open("rb") as source, _Target(io.FileIO(signed, "w+")) as target:
                try:
                    builder.sign(signer, CONTENT_TYPES[path.suffix], source, target)
                except c2pa.C2paError:
                    if target.failure:
                        raise target.failure from None
                    raise
    except c2pa.C2paError as error:
        raise next(iter(failures), _unsigned(path, credentials, str(error))) from error


def _signer(c2pa: Any, credentials: Signer, fail: Callable[[Failure], None]) -> Any:
    """The SDK's signer; of an exception in it the SDK tells only that there was one."""

    def sign_bytes(data: bytes) -> bytes:
        try:
            return credentials.sign(data)
        except Failure as failure:
            fail(failure)
            raise

    algorithm = getattr(c2pa.C2paSigningAlg, credentials.leaf.algorithm)
    return c2pa.Signer.from_callback(sign_bytes, algorithm, credentials.chain, credentials.tsa)


def _add(builder: Any, parent: Path) -> None:
    ingredient = {"title": parent.name, "relationship": "parentOf", "instance_id": PARENT}
    with parent.open("rb") as stream:
        builder.add_ingredient(json.dumps(ingredient), CONTENT_TYPES[parent.suffix], stream)


def _proven(path: Path, signed: Path, credentials: Signer) -> CredentialsReport:
    try:
        shown = show(signed, credentials.anchors)
    except ValueError as error:
        raise _refused(path, str(error)) from error
    if shown is None:
        raise _refused(path, "there are no credentials in it afterwards")
    if credentials.anchors and "signingCredential.untrusted" in shown.failures:
        raise _refused(
            path,
            "its certificate leads to none of FALHOOK_C2PA_ANCHORS; name its root there, and every"
            " certificate between the two in FALHOOK_C2PA_CERT",
        )
    if shown.state not in _GOOD or (credentials.anchors and shown.state != "Trusted"):
        raise _refused(path, f"after signing it is {shown.state}: {', '.join(shown.failures)}")
    return shown


def _unsigned(path: Path, credentials: Signer, words: str) -> Failure:
    """What an error of the SDK means, which tells no failed time stamp apart from others."""
    if credentials.tsa and words.startswith(_NO_STAMP):
        # The address may hold a password.
        host = f"{urlsplit(credentials.tsa).hostname} (FALHOOK_C2PA_TSA)"
        said = _printable(words.partition(" for url ")[0].replace(credentials.tsa, host))
        return Transient("timestamp_unavailable", f"{host} gave no time stamp: {said}")
    if "certificate" in words:
        words += "; see FALHOOK_C2PA_CERT"
    return _refused(path, words)


def _refused(path: Path, words: str) -> Permanent:
    return Permanent("signing_refused", f"{path.name} could not be signed: {_printable(words)}")


def _printable(words: str) -> str:
    return "".join(filter(str.isprintable, words))[:300]
