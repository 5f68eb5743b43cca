"""The steps between a rendered result and its publication: download, then transcode-tag.

They may run on different machines: each takes the job alone and finds its input in storage.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from webhook.contract import Task
from worker.errors import Permanent
from worker.fal.download import Downloader
from worker.fal.result import video_address
from worker.formats.errors import MediaError, UnsupportedMedia
from worker.formats.media_types import CONTENT_TYPES
from worker.jobs.change import Outcome
from worker.jobs.job import Job, JobState
from worker.jobs.step import Step
from worker.provenance import UNSIGNED
from worker.steps.media_config import MediaConfig
from worker.steps.passthrough import METHOD, Passthrough, delivered, extras, kept
from worker.steps.passthrough_tags import FileTags
from worker.steps.progress import Progress
from worker.storage import Storage
from worker.storage.layout import SOURCE, work_key
from worker.storage.scratch import scratch
from worker.transcode.ffmpeg import Ffmpeg
from worker.transcode.metering import Meter
from worker.transcode.result import TranscodeResult
from worker.transcode.transcoder import transcode
from worker.types import Json

# What transcode-tag needs beside the clip: storage, room on the disk, and for signing others.
NEEDS = frozenset(
    {
        "storage_unavailable",
        "storage_unwritable",
        "storage_full",
        "disk_full",
        "signing_failed",
        "timestamp_unavailable",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """fal's CDN to our storage."""

    downloader: Downloader
    storage: Storage
    progress: Progress

    def step(self) -> Step:
        """The row of the pipeline's table."""
        return Step(task=Task.DOWNLOAD, takes=JobState.RENDERED, work=self.work)

    def work(self, job: Job) -> Outcome:
        """DOWNLOADED: the source is whole in storage, its size and SHA-256 on the record."""
        key, address = work_key(job.id, SOURCE), video_address(job.payload)
        others = Passthrough(downloader=self.downloader, storage=self.storage)
        if address is None:
            return others.download(job, self.progress.bytes(job, Task.DOWNLOAD))
        with Meter().measure("download") as cost:
            got = self.downloader.fetch(
                address,
                lambda chunks: self.storage.put(key, chunks, content_type="video/mp4"),
                expect="media",
                progress=self.progress.bytes(job, Task.DOWNLOAD),
            )
        cost.bytes_in = cost.bytes_out = got.size
        source: dict[str, Json] = {
            "bytes": got.size,
            "sha256": got.sha256,
            "cost": cost.record(),
            **others.beside(job, address, self.progress.bytes(job, Task.DOWNLOAD)),
        }
        told = {"bytes": str(got.size), "resumed": str(got.resumed)}
        return Outcome(to=JobState.DOWNLOADED, set={"source": source}, event=told)


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscodeTag:
    """The source to a delivery that plays everywhere and says where it comes from."""

    storage: Storage
    ffmpeg: Ffmpeg
    progress: Progress
    delivering: MediaConfig = field(default_factory=MediaConfig)

    def step(self) -> Step:
        """The row of the pipeline's table; few tries, since a clip that kills ffmpeg stays so."""
        return Step(
            task=Task.TRANSCODE_TAG,
            takes=JobState.DOWNLOADED,
            work=self.work,
            tries=4,
            waits_for=NEEDS,
        )

    def work(self, job: Job) -> Outcome:
        """TAGGED: the delivery is whole in storage, what it is on the record."""
        tags = FileTags(storage=self.storage, delivering=self.delivering)
        if others := delivered(job):
            outputs = others | {"files": tags.tagged(job, extras(job))}
            told = {"method": str(others["method"])}
            return Outcome(to=JobState.TAGGED, set={"outputs": outputs}, event=told)
        meter = Meter()
        with scratch(job.id) as directory:
            source, into = directory / SOURCE, directory / "delivery"
            with meter.measure("fetch") as cost:
                self.storage.get(work_key(job.id, SOURCE), source)
                cost.bytes_in = cost.bytes_out = source.stat().st_size
            try:
                made = transcode(
                    source,
                    into,
                    self.delivering.tags(job),
                    ffmpeg=self.ffmpeg,
                    profile=self.delivering.profile_of(job),
                    credentials=self.delivering.credentials,
                    progress=self.progress.encoding(job, Task.TRANSCODE_TAG),
                    meter=meter,
                )
            except UnsupportedMedia as why:
                return self._as_it_is(job, source, why, meter)
            except MediaError as error:
                raise Permanent(error.reason, error.sentence) from error
            with meter.measure("store") as cost:
                files = {path.name: self._keep(job, path) for path in made.files}
                cost.bytes_in = cost.bytes_out = sum(path.stat().st_size for path in made.files)
        outputs = recorded(made, files | tags.tagged(job, extras(job))) | {"cost": meter.record()}
        told = {"method": made.method, "reasons": ", ".join(made.reasons)}
        return Outcome(to=JobState.TAGGED, set={"outputs": outputs}, event=told)

    def _as_it_is(self, job: Job, source: Path, why: UnsupportedMedia, meter: Meter) -> Outcome:
        """It is paid for, and may be just what was wanted: alpha, a GIF, another container."""
        tags = FileTags(storage=self.storage, delivering=self.delivering)
        files = tags.tagged(job, extras(job) | kept(self.storage, job, source))
        outputs = {"method": METHOD, "reason": why.sentence, "files": files}
        return Outcome(
            to=JobState.TAGGED,
            set={"outputs": outputs | {"cost": meter.record()}},
            event={"method": METHOD, "reasons": why.sentence},
        )

    def _keep(self, job: Job, path: Path) -> Json:
        content_type = CONTENT_TYPES[path.suffix]
        self.storage.put(work_key(job.id, path.name), path, content_type=content_type)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        kept: dict[str, Json] = {"bytes": path.stat().st_size, "sha256": digest}
        kept["content_type"] = content_type
        if self.delivering.credentials and path.suffix in UNSIGNED:
            kept["unsigned"] = UNSIGNED[path.suffix]
        return kept


def recorded(made: TranscodeResult, files: Mapping[str, Json]) -> dict[str, Json]:
    """What the job's record and the manifest hold of a delivery."""
    video = made.probe
    record: dict[str, Json] = {
        "method": made.method,
        "profile": made.profile,
        "video": {
            "width": video.width,
            "height": video.height,
            "seconds": round(video.duration, 3),
            "fps": round(video.fps, 3),
            "video_codec": video.codec,
            "audio_codec": video.audio,
        },
        "files": dict(files),
    }
    if made.source.left_out:
        record["left_out"] = list(made.source.left_out)
    record["provenance"] = _provenance(made)
    if made.skipped:
        record["skipped"] = list(made.skipped)
    if made.failed:
        record["failed"] = dict(made.failed)
    if made.blurhash:
        record["blurhash"] = made.blurhash
    return record


def _provenance(made: TranscodeResult) -> Json:
    """Whether files are signed, and what became of credentials that the source had."""
    theirs = made.vendor.record() if made.vendor else {}
    if made.signed:
        return {"state": "signed", "validation": made.signed, **theirs}
    return {"state": "unsigned", **theirs}
