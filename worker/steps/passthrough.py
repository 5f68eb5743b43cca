"""Outputs published without transcoding: images, audio, other files and plain values."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from worker.errors import Permanent
from worker.fal.download import Downloader
from worker.fal.result import OTHER, ResultFile, by_published_name, files_of, video_address
from worker.formats import data_uri
from worker.formats.media_types import VIDEO_HEAD_BYTES, sniff, unsupported_video
from worker.jobs.change import Outcome
from worker.jobs.job import Job, JobState
from worker.storage import Storage, file_record
from worker.storage.layout import work_key
from worker.types import Json

METHOD = "as_is"
RESULT = "result"  # the method of a result without any file
MOST_FILES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Passthrough:
    """Stores fal's files of any kind."""

    downloader: Downloader
    storage: Storage

    def download(self, job: Job, progress: Callable[[int, int | None], None]) -> Outcome:
        """Return DOWNLOADED once every file of the result is complete in storage."""
        files = files_of(job.payload)
        if len(files) > MOST_FILES:
            sentence = f"the result holds {len(files)} files; {MOST_FILES} can be published"
            raise Permanent("too_many_files", sentence)
        records: dict[str, Json] = {
            name: self._store(job, name, file, progress)
            for name, file in by_published_name(files).items()
        }
        event = {"files": str(len(records))}
        return Outcome(to=JobState.DOWNLOADED, set={"source": {"files": records}}, event=event)

    def download_extras(
        self, job: Job, video: str, progress: Callable[[int, int | None], None]
    ) -> dict[str, Json]:
        """Store the files that the result contains next to its video; return their records.

        `files` are stored. `skipped` lists the files that cannot be downloaded, with the reason:
        the video is what was paid for. Raises only Transient.
        """
        others = tuple(file for file in files_of(job.payload) if file.address != video)
        files: dict[str, Json] = {}
        skipped: dict[str, Json] = {}
        for name, file in by_published_name(others[:MOST_FILES]).items():
            try:
                files[name] = self._store(job, name, file, progress)
            except Permanent as failure:
                skipped[name] = {"output": file.path, "reason": failure.reason}
        records: dict[str, Json] = {"files": files, "skipped": skipped}
        return {name: value for name, value in records.items() if value}

    def _store(
        self, job: Job, name: str, file: ResultFile, progress: Callable[[int, int | None], None]
    ) -> Json:
        key, content_type = work_key(job.id, name), file.media.name
        record: dict[str, Json] = {"content_type": content_type, "output": file.path}
        if file.address[:5].lower() == "data:":
            data = _embedded(file)
            self.storage.put(key, data, content_type=content_type)
            return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), **record}
        downloaded = self.downloader.fetch(
            file.address,
            lambda chunks: self.storage.put(key, chunks, content_type=content_type),
            progress=progress,
        )
        return {"bytes": downloaded.size, "sha256": downloaded.sha256, **record}


def _embedded(file: ResultFile) -> bytes:
    # https://fal.ai/docs : with sync_mode a result holds data URIs.
    try:
        return data_uri.decode(file.address)
    except ValueError:
        raise Permanent(
            "bad_data_uri", f"{file.path} holds a data URI that is not base64"
        ) from None


def store_source(storage: Storage, job: Job, source: Path) -> dict[str, Json]:
    """Store a source that is published unchanged; return its record, by name."""
    with source.open("rb") as file:
        head = file.read(VIDEO_HEAD_BYTES)
    other = unsupported_video(head)
    media = sniff(head) or (other[1] if other else OTHER)
    family = "file" if media is OTHER else media.family
    number = 1 + sum(name.startswith(f"{family}-") for name in extra_files(job))
    name, address = f"{family}-{number}.{media.extension}", video_address(job.payload)
    storage.put(work_key(job.id, name), source, content_type=media.name)
    paths = [file.path for file in files_of(job.payload) if file.address == address]
    return {
        name: {
            **file_record(source),
            "content_type": media.name,
            "output": next(iter(paths), ""),
        }
    }


def unchanged_outputs(job: Job) -> dict[str, Json] | None:
    """Return the job's outputs: its files unchanged, or the result itself if it has no file.

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


def extra_files(job: Job) -> dict[str, Json]:
    """Return the records of the files that are published next to the job's video, by name."""
    files = job.source.get("files")
    return files if isinstance(files, dict) else {}
