"""Pictures and sounds that fal made: tagged, and signed where there are credentials, as videos."""

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from worker.errors import Permanent
from worker.formats.audio import NotTaggable, audio_file
from worker.formats.errors import MediaError
from worker.formats.images import image_file
from worker.formats.media_types import CONTENT_TYPES, HEAD_BYTES, MP4, sniff
from worker.formats.tags import Tags
from worker.formats.xmp import LINK
from worker.jobs.job import Job
from worker.provenance import SourceCredentials, may_be_read, sign_delivery
from worker.provenance.reader import RemoteManifest, show
from worker.steps.media_config import MediaConfig
from worker.storage import Storage
from worker.storage.layout import work_key
from worker.storage.scratch import scratch
from worker.types import Json

MAX_SIGNED = 64 << 20  # bytes of a file that is signed: of a WAV the SDK takes three times as much
# Formats in which tagged files are signed: FLAC would get an ID3 tag where few readers expect one.
_SIGNED = frozenset({".jpg", ".png", ".webp", ".gif", ".avif", ".mp3", ".wav", ".m4a", ".mp4"})
_BROKEN_CREDENTIALS = "it has content credentials, which a tag would break"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTags:
    """Tags the pictures, sounds and videos of a job that are published as they are, in storage."""

    storage: Storage
    delivering: MediaConfig

    def tagged(self, job: Job, files: Mapping[str, Json]) -> dict[str, Json]:
        """What the record holds of these files, once those that can be are tagged.

        Not one pixel or packet changes. `replaced` names tags of the source that ours took the
        place of. Other files stay as fal made them, and `untagged` says why: they are not whole,
        larger than is read into memory, of another format, or have credentials where we have none
        to add to them: a tag would break theirs. `unsigned` says why one is tagged alone.
        """
        return {
            name: {**about, **self._one(job, name, about)} if isinstance(about, dict) else about
            for name, about in files.items()
        }

    def _one(self, job: Job, name: str, about: Mapping[str, Json]) -> dict[str, Json]:
        match about:
            case {"content_type": str(kind), "bytes": int(size)}:
                try:
                    _require_taggable(kind, size)
                    return self._written(job, name, kind)
                except NotTaggable as reason:
                    return {"untagged": str(reason)}
                except MediaError as error:
                    raise Permanent(error.reason, error.sentence) from error
        return {}

    def _written(self, job: Job, name: str, kind: str) -> dict[str, Json]:
        with scratch(job.id) as directory:
            fetched = directory / "fetched"
            self.storage.get(work_key(job.id, name), fetched)
            vendor = fetched.rename(Path(directory, f"vendor{_suffix(fetched, kind)}"))
            path = vendor.with_stem("tagged")
            made = self._made(job, vendor, path)
            self.storage.put(work_key(job.id, name), path, content_type=kind)
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            return made | {"bytes": path.stat().st_size, "sha256": digest}

    def _made(self, job: Job, vendor: Path, path: Path) -> dict[str, Json]:
        tags, credentials = self.delivering.tags(job), self.delivering.credentials
        made: dict[str, Json] = {"tagged": True}
        form = image_file if _is_picture(vendor) else audio_file
        if replaced := _tag(vendor, path, tags):
            made["replaced"] = list(replaced)
        places = form.credentials_of(vendor)
        theirs = form.has_credentials(vendor) or LINK in form.read_tags(vendor)
        if theirs and (not credentials or not may_be_read(vendor, places)):
            raise NotTaggable(_BROKEN_CREDENTIALS)
        if credentials is None:
            return made
        if unsigned := _unsigned(vendor):
            if theirs:
                raise NotTaggable(_BROKEN_CREDENTIALS)
            return made | {"unsigned": unsigned}
        held = SourceCredentials.of(vendor, places, credentials.anchors) if theirs else None
        parent = vendor if held and held.is_parent else None
        signed = sign_delivery([path], tags, credentials, vendor=parent, copied=True)
        return made | (held.record() if held else {}) | {"signed": signed}


def _require_taggable(kind: str, size: int) -> None:
    family = kind.partition("/")[0]
    if family not in {"image", "audio", "video"}:
        raise NotTaggable("it is no picture, sound or video")
    if family == "image" and size > image_file.MAX_PICTURE:
        raise NotTaggable(f"it is a picture of more than {image_file.MAX_PICTURE} bytes")


def _suffix(path: Path, kind: str) -> str:
    """The ending of the format that the file really has, whatever its name is."""
    with path.open("rb") as file:
        media = sniff(file.read(HEAD_BYTES))
    if media is MP4 and kind.startswith("audio/"):
        return ".m4a"  # by no brand of its own
    return f".{media.extension}" if media else ""


def _is_picture(path: Path) -> bool:
    return CONTENT_TYPES.get(path.suffix, "").startswith("image/")


def _tag(vendor: Path, path: Path, tags: Tags) -> tuple[str, ...]:
    """The names of tags that ours replaced in a sound. Raises NotTaggable."""
    if not _is_picture(vendor):
        return audio_file.tag(vendor, path, tags)
    try:
        image_file.tag(Path(shutil.copy(vendor, path)), tags.xmp(image_file.read_tags(vendor)))
    except ValueError as error:
        raise NotTaggable(str(error)) from error
    return ()


def _unsigned(path: Path) -> str | None:
    """Why a file of this format and size cannot be signed; None where it can."""
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
