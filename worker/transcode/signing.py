"""Signing of finished files; content credentials of the source are never dropped."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from worker.errors import Failure
from worker.formats.mp4 import credentials_of, read_tags
from worker.formats.tags import Tags
from worker.formats.xmp import LINK
from worker.provenance import Signer, SourceCredentials, ends_signing, sign_delivery

UNTOUCHED = "original.mp4"  # a copy of the source, if its credentials would be lost otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedFiles:
    """The files, and how the video validates (None if nothing was signed).

    `unsigned`: why other files could not be signed, by name. `refusal`: why nothing is signed
    although there is a signer.
    """

    files: tuple[Path, ...]
    validation: str | None
    source_credentials: SourceCredentials | None
    unsigned: Mapping[str, str]
    refusal: Failure | None = None


def sign_files(
    files: Sequence[Path],
    path: Path,
    tags: Tags,
    signer: Signer | None,
    *,
    copied: bool,
    last: bool = False,
) -> SignedFiles:
    """Sign the files in place if there is a `signer`; `copied`: no stream was encoded again.

    If the credentials of the source at `path` cannot be the parent of ours, a copy of the source
    is added as original.mp4. A video that can never be signed, or not in the `last` try, stays
    unsigned with all files. Raises the transient failures of `sign_delivery` otherwise.
    """
    theirs, signed = _source_credentials(path, signer), None
    if signer:
        parent = path if theirs and theirs.is_parent else None
        try:
            signed = sign_delivery(files, tags, signer, parent=parent, copied=copied, last=last)
        except Failure as refusal:
            if not ends_signing(refusal, last=last):
                raise
            without = sign_files(files, path, tags, None, copied=copied)
            return replace(without, refusal=refusal)
    if theirs and not (signed and signed.is_parent):
        theirs = theirs.not_a_parent()
        untouched = files[0].with_name(UNTOUCHED)
        shutil.copyfile(path, untouched)
        files = [*files, untouched]
    return SignedFiles(
        files=tuple(files),
        validation=signed.state if signed else None,
        source_credentials=theirs,
        unsigned=signed.unsigned if signed else {},
    )


def _source_credentials(path: Path, signer: Signer | None) -> SourceCredentials | None:
    places = credentials_of(path)
    if not places and LINK not in read_tags(path):
        return None
    if not signer:
        return SourceCredentials(UNTOUCHED)
    return SourceCredentials.of(path, places, signer.anchors)
