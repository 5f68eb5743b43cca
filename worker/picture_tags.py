"""Pictures that fal made: tagged, and signed where there are credentials, as videos are."""

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from worker.delivery import Delivering
from worker.jobs import Job, Json
from worker.layout import CONTENT_TYPES, work_key
from worker.pictures import MAX_PICTURE, has_credentials, size_of, tag
from worker.provenance import sign_delivery
from worker.storage import Storage

_SUFFIXES = {kind: suffix for suffix, kind in CONTENT_TYPES.items() if kind.startswith("image/")}


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureTags:
    """Tags the JPEG, PNG and WebP files of a job, in storage."""

    storage: Storage
    delivering: Delivering

    def tagged(self, job: Job, files: Mapping[str, Json]) -> dict[str, Json]:
        """What the record holds of these files, once those that are pictures are tagged.

        Not one pixel changes. Other files stay as fal made them, and so do pictures that are not
        whole, larger than is read into memory, or have credentials where we have none to add to
        them: a tag would break theirs.
        """
        return {name: self._one(job, name, about) for name, about in files.items()}

    def _one(self, job: Job, name: str, about: Json) -> Json:
        if not isinstance(about, dict):
            return about
        match about.get("content_type"), about.get("bytes"):
            case str(kind), int(size) if kind in _SUFFIXES and size <= MAX_PICTURE:
                return about | self._written(job, name, kind)
        return about

    def _written(self, job: Job, name: str, kind: str) -> dict[str, Json]:
        tags, credentials = self.delivering.tags(job), self.delivering.credentials
        with tempfile.TemporaryDirectory(prefix=f"falhook-{job.id}-") as scratch:
            path = Path(scratch, f"picture{_SUFFIXES[kind]}")
            self.storage.get(work_key(job.id, name), path)
            theirs = has_credentials(path)
            if not any(size_of(path)) or (theirs and not credentials):
                return {}
            vendor = Path(shutil.copy(path, path.with_stem("vendor"))) if theirs else None
            tag(path, tags.xmp({}))
            made: dict[str, Json] = {"tagged": True}
            if credentials:
                made["signed"] = sign_delivery(
                    [path], tags, credentials, vendor=vendor, copied=True
                )
            self.storage.put(work_key(job.id, name), path, content_type=kind)
            data = path.read_bytes()
        return made | {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
