"""Images and audio from fal: tagged and, with a certificate, signed as videos are."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from worker.errors import Failure
from worker.formats import audio, images
from worker.formats.audio import NotTaggable
from worker.formats.errors import MediaError
from worker.formats.media_types import CONTENT_TYPES, HEAD_BYTES, MP4, sniff
from worker.formats.tags import Tags
from worker.formats.xmp import LINK
from worker.jobs.job import Job
from worker.provenance import Signer, SourceCredentials, ends_signing, may_be_read, sign_delivery
from worker.provenance.reader import show
from worker.provenance.source_credentials import UNREADABLE
from worker.steps.media_config import MediaConfig
from worker.storage import Storage, file_record
from worker.storage.layout import work_key
from worker.storage.scratch import scratch
from worker.types import Json

MAX_SIGNED = 64 << 20  # bytes of a file that is signed: the SDK takes three times as much for a WAV
# Formats of tagged files that are signed: FLAC would get an ID3 tag, which few readers expect.
_SIGNED = frozenset({".jpg", ".png", ".webp", ".gif", ".avif", ".mp3", ".wav", ".m4a", ".mp4"})
UNTOUCHED = "original"  # begins the name of a file as it came, beside the one that is signed
_BROKEN_CREDENTIALS = "it has content credentials, which a tag would break"


def tag_files(
    job: Job,
    files: Mapping[str, Json],
    *,
    storage: Storage,
    config: MediaConfig,
    last: bool = False,
) -> dict[str, Json]:
    """Tag those of a job's files in storage that can be tagged; return the records of all.

    No pixel or packet changes. `replaced` lists tags of the source that ours replaced, `left_out`
    what followed a picture in its file. Other files stay as fal made them, and `untagged` says why:
    they are incomplete, larger than is read into memory, of another format, or have credentials
    that a tag would break, while we have none to add. `unsigned` says why a tagged file is not
    signed: none is that can never be, or not in the `last` try. A file whose credentials cannot be
    the parent of ours is signed as created, and added as it came, as `original-` and its name.
    """
    tagging = _Tagging(job=job, storage=storage, config=config, last=last)
    records: dict[str, Json] = {}
    for name, record in files.items():
        records |= tagging.tagged(name, record) if isinstance(record, dict) else {name: record}
    return records


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tagging:
    """Tags the files of one job in storage."""

    job: Job
    storage: Storage
    config: MediaConfig
    last: bool

    def tagged(self, name: str, record: dict[str, Json]) -> dict[str, Json]:
        """Return the records of the file and of what was added, by name."""
        match record:
            case {"content_type": str(content_type), "bytes": int(size)}:
                try:
                    _require_taggable(content_type, size)
                    return self._rewritten(name, content_type, record)
                except NotTaggable as reason:
                    return {name: {**record, "untagged": str(reason)}}
                except MediaError as error:
                    # The file is in storage as fal made it, and is published so.
                    return {name: {**record, "untagged": error.sentence}}
        return {name: record}

    def _rewritten(self, name: str, content_type: str, record: dict[str, Json]) -> dict[str, Json]:
        original = f"{UNTOUCHED}-{name}"
        key, untouched = work_key(self.job.id, name), work_key(self.job.id, original)
        with scratch(self.job.id) as directory:
            fetched = directory / "fetched"
            # A try before this one may have replaced the file already.
            again = self.storage.size(untouched) is not None
            self.storage.get(untouched if again else key, fetched)
            source = fetched.rename(Path(directory, f"source{_suffix(fetched, content_type)}"))
            path = source.with_stem("tagged")
            made = _tag_and_sign(
                self.config.tags(self.job), self.config.signer, source, path, last=self.last
            )
            added: dict[str, Json] = {}
            if made.get("vendor") == UNREADABLE:
                self.storage.put(untouched, source, content_type=content_type)
                added = {original: {**record, **file_record(source)}}
            self.storage.put(key, path, content_type=content_type)
            return {name: {**record, **made, **file_record(path)}, **added}


def _tag_and_sign(
    tags: Tags, signer: Signer | None, source: Path, path: Path, *, last: bool
) -> dict[str, Json]:
    record: dict[str, Json] = {"tagged": True}
    form = images if _is_picture(source) else audio
    if replaced := _tag(source, path, tags):
        record["replaced"] = list(replaced)
    if form is images and (left_out := images.left_out(source)):
        record["left_out"] = list(left_out)
    places = form.credentials_of(source)
    has_credentials = form.has_credentials(source) or LINK in form.read_tags(source)
    if has_credentials and (not signer or not may_be_read(source, places)):
        raise NotTaggable(_BROKEN_CREDENTIALS)
    if signer is None:
        return record
    theirs = SourceCredentials.of(source, places, signer.anchors) if has_credentials else None
    try:
        return record | _sign(tags, signer, source, path, theirs, last=last)
    except _Unsigned as reason:
        if has_credentials:
            raise NotTaggable(f"{_BROKEN_CREDENTIALS}; {reason}") from reason
        return record | {"unsigned": str(reason)}


class _Unsigned(Exception):
    """The file goes without a signature; the message says why."""


def _sign(
    tags: Tags,
    signer: Signer,
    source: Path,
    path: Path,
    theirs: SourceCredentials | None,
    *,
    last: bool,
) -> dict[str, Json]:
    """Sign the tagged file at `path`; return what its record says of it. Raises _Unsigned."""
    _require_signable(source, has_credentials=theirs is not None)
    parent = source if theirs and theirs.is_parent else None
    try:
        signed = sign_delivery([path], tags, signer, parent=parent, copied=True)
    except Failure as refused:
        if not ends_signing(refused, last=last):
            raise
        raise _Unsigned(refused.sentence) from refused
    if theirs and not signed.is_parent:
        theirs = theirs.not_a_parent()
    return (theirs.record() if theirs else {}) | {"signed": signed.state}


def _require_taggable(kind: str, size: int) -> None:
    family = kind.partition("/")[0]
    if family not in {"image", "audio", "video"}:
        raise NotTaggable("it is not an image, audio or video file")
    if family == "image" and size > images.MAX_PICTURE:
        raise NotTaggable(f"it is an image of more than {images.MAX_PICTURE} bytes")


def _suffix(path: Path, kind: str) -> str:
    """Return the suffix of the format that the file has, whatever its name is."""
    with path.open("rb") as file:
        media = sniff(file.read(HEAD_BYTES))
    if media is MP4 and kind.startswith("audio/"):
        return ".m4a"  # audio without a brand of its own
    return f".{media.extension}" if media else ""


def _is_picture(path: Path) -> bool:
    return CONTENT_TYPES.get(path.suffix, "").startswith("image/")


def _tag(vendor: Path, path: Path, tags: Tags) -> tuple[str, ...]:
    """Tag the file; return the names of tags that ours replaced in audio. Raises NotTaggable."""
    if not _is_picture(vendor):
        return audio.tag(vendor, path, tags)
    try:
        images.tag(Path(shutil.copy(vendor, path)), tags.xmp(images.read_tags(vendor)))
    except ValueError as error:
        raise NotTaggable(str(error)) from error
    return ()


def _require_signable(path: Path, *, has_credentials: bool) -> None:
    """Raise _Unsigned unless a file of this format, size and shape may be signed.

    What the SDK says of a file with credentials may be about them, which our copy does not keep.
    """
    if path.suffix not in _SIGNED:
        raise _Unsigned("files of its format are not signed")
    if path.stat().st_size > MAX_SIGNED:
        raise _Unsigned(f"files of more than {MAX_SIGNED} bytes are not signed")
    try:
        if not has_credentials:
            show(path)
    except ValueError:
        raise _Unsigned("it has a shape that cannot be signed") from None
