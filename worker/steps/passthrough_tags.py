"""Images and audio from fal: tagged and, with a certificate, signed as videos are."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from worker.errors import Permanent
from worker.formats import audio, images
from worker.formats.audio import NotTaggable
from worker.formats.errors import MediaError
from worker.formats.media_types import CONTENT_TYPES, HEAD_BYTES, MP4, sniff
from worker.formats.tags import Tags
from worker.formats.xmp import LINK
from worker.jobs.job import Job
from worker.provenance import Signer, SourceCredentials, may_be_read, sign_delivery
from worker.provenance.reader import RemoteManifest, show
from worker.steps.media_config import MediaConfig
from worker.storage import Storage, file_record
from worker.storage.layout import work_key
from worker.storage.scratch import scratch
from worker.types import Json

MAX_SIGNED = 64 << 20  # bytes of a file that is signed: the SDK takes three times as much for a WAV
# Formats of tagged files that are signed: FLAC would get an ID3 tag, which few readers expect.
_SIGNED = frozenset({".jpg", ".png", ".webp", ".gif", ".avif", ".mp3", ".wav", ".m4a", ".mp4"})
_BROKEN_CREDENTIALS = "it has content credentials, which a tag would break"


def tag_files(
    job: Job, files: Mapping[str, Json], *, storage: Storage, config: MediaConfig
) -> dict[str, Json]:
    """Tag those of a job's files in storage that can be tagged; return the records of all.

    No pixel or packet changes. `replaced` lists tags of the source that ours replaced, `left_out`
    what followed a picture in its file. Other files stay as fal made them, and `untagged` says why:
    they are incomplete, larger than is read into memory, of another format, or have credentials
    that a tag would break, while we have none to add. `unsigned` says why a tagged file is not
    signed.
    """
    return {
        name: {**record, **_tagged(job, name, record, storage, config)}
        if isinstance(record, dict)
        else record
        for name, record in files.items()
    }


def _tagged(
    job: Job, name: str, record: Mapping[str, Json], storage: Storage, config: MediaConfig
) -> dict[str, Json]:
    match record:
        case {"content_type": str(content_type), "bytes": int(size)}:
            try:
                _require_taggable(content_type, size)
                return _rewrite(job, name, content_type, storage, config)
            except NotTaggable as reason:
                return {"untagged": str(reason)}
            except MediaError as error:
                # The file is in storage as fal made it, and is published so.
                return {"untagged": error.sentence}
    return {}


def _rewrite(
    job: Job, name: str, content_type: str, storage: Storage, config: MediaConfig
) -> dict[str, Json]:
    with scratch(job.id) as directory:
        fetched = directory / "fetched"
        storage.get(work_key(job.id, name), fetched)
        source = fetched.rename(Path(directory, f"source{_suffix(fetched, content_type)}"))
        path = source.with_stem("tagged")
        record = _tag_and_sign(config.tags(job), config.signer, source, path)
        storage.put(work_key(job.id, name), path, content_type=content_type)
        return record | file_record(path)


def _tag_and_sign(tags: Tags, signer: Signer | None, source: Path, path: Path) -> dict[str, Json]:
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
    if unsigned := _unsigned(source):
        if has_credentials:
            raise NotTaggable(_BROKEN_CREDENTIALS)
        return record | {"unsigned": unsigned}
    vendor = SourceCredentials.of(source, places, signer.anchors) if has_credentials else None
    parent = source if vendor and vendor.is_parent else None
    try:
        signed = sign_delivery([path], tags, signer, parent=parent, copied=True)
    except Permanent as refused:
        if has_credentials:
            raise NotTaggable(f"{_BROKEN_CREDENTIALS}; {refused.sentence}") from refused
        return record | {"unsigned": refused.sentence}
    if parent and not signed.is_parent:
        raise NotTaggable(_BROKEN_CREDENTIALS)
    return record | (vendor.record() if vendor else {}) | {"signed": signed.state}


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


def _unsigned(path: Path) -> str | None:
    """Return why a file of this format and size cannot be signed; None if it can."""
    if path.suffix not in _SIGNED:
        return "files of its format are not signed"
    if path.stat().st_size > MAX_SIGNED:
        return f"files of more than {MAX_SIGNED} bytes are not signed"
    try:
        show(path)
    except RemoteManifest:
        return None
    except ValueError:
        return "it has a shape that cannot be signed"
    return None
