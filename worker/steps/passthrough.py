"""What is no video in a result: images, sounds, other files, plain values, brought to storage."""

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

from worker.errors import Permanent
from worker.fal.download import Downloader
from worker.fal.result import OTHER, ResultFile, files_of, named, video_address
from worker.formats.media_types import FILM_BYTES, film, sniff
from worker.jobs.change import Outcome
from worker.jobs.job import Job, JobState
from worker.storage import Storage
from worker.storage.layout import work_key
from worker.types import Json

METHOD = "as_is"
RESULT = "result"  # the method of a result without any file
MOST_FILES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Passthrough:
    """fal's files to our storage, whatever they are."""

    downloader: Downloader
    storage: Storage

    def download(self, job: Job, progress: Callable[[int, int | None], None]) -> Outcome:
        """DOWNLOADED: every file of the result is whole in storage, described on the record."""
        files = files_of(job.payload)
        if len(files) > MOST_FILES:
            sentence = f"the result holds {len(files)} files; {MOST_FILES} can be published"
            raise Permanent("too_many_files", sentence)
        kept: dict[str, Json] = {
            name: self._keep(job, name, file, progress) for name, file in named(files).items()
        }
        told = {"files": str(len(kept))}
        return Outcome(to=JobState.DOWNLOADED, set={"source": {"files": kept}}, event=told)

    def beside(
        self, job: Job, video: str, progress: Callable[[int, int | None], None]
    ) -> dict[str, Json]:
        """What the result holds beside its video, kept in storage: `files`, and `skipped`.

        A file that cannot be had for good is skipped with the reason: the video is what was paid
        for. Raises Transient alone.
        """
        others = tuple(file for file in files_of(job.payload) if file.address != video)
        files: dict[str, Json] = {}
        skipped: dict[str, Json] = {}
        for name, file in named(others[:MOST_FILES]).items():
            try:
                files[name] = self._keep(job, name, file, progress)
            except Permanent as failure:
                skipped[name] = {"output": file.path, "reason": failure.reason}
        found: dict[str, Json] = {"files": files, "skipped": skipped}
        return {name: value for name, value in found.items() if value}

    def _keep(
        self, job: Job, name: str, file: ResultFile, progress: Callable[[int, int | None], None]
    ) -> Json:
        key, content_type = work_key(job.id, name), file.media.name
        about: dict[str, Json] = {"content_type": content_type, "output": file.path}
        if file.address[:5].lower() == "data:":
            data = _embedded(file)
            self.storage.put(key, data, content_type=content_type)
            return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), **about}
        got = self.downloader.fetch(
            file.address,
            lambda chunks: self.storage.put(key, chunks, content_type=content_type),
            progress=progress,
        )
        return {"bytes": got.size, "sha256": got.sha256, **about}


def _embedded(file: ResultFile) -> bytes:
    # https://fal.ai/docs : with sync_mode a result holds data URIs.
    head, _, body = file.address.partition(",")
    try:
        encoded = unquote_to_bytes(body)
        if not head.lower().endswith(";base64"):
            return encoded
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise Permanent(
            "bad_data_uri", f"{file.path} holds a data URI that is not base64"
        ) from None


def kept(storage: Storage, job: Job, source: Path) -> dict[str, Json]:
    """What the record holds of a video that is published as it is, which is in storage then."""
    with source.open("rb") as file:
        head = file.read(FILM_BYTES)
        other = film(head)
        media = sniff(head) or (other[1] if other else OTHER)
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    family = "file" if media is OTHER else media.family
    number = 1 + sum(name.startswith(f"{family}-") for name in extras(job))
    name, address = f"{family}-{number}.{media.extension}", video_address(job.payload)
    storage.put(work_key(job.id, name), source, content_type=media.name)
    paths = [file.path for file in files_of(job.payload) if file.address == address]
    return {
        name: {
            "bytes": source.stat().st_size,
            "sha256": digest,
            "content_type": media.name,
            "output": next(iter(paths), ""),
        }
    }


def delivered(job: Job) -> dict[str, Json] | None:
    """The job's outputs: the files as they are, or the result itself where it holds none.

    None for a job whose source is a video.
    """
    files = job.source.get("files")
    if "sha256" in job.source or not isinstance(files, dict):
        return None
    method = METHOD if files else RESULT
    outputs: dict[str, Json] = {"method": method, "files": files}
    if not files:
        outputs["result"] = job.payload
    return outputs


def extras(job: Job) -> dict[str, Json]:
    """The files that are published beside the job's video, by name."""
    files = job.source.get("files")
    return files if isinstance(files, dict) else {}
