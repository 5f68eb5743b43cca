"""The transcode_tag step: from the source in storage to the tagged files of the publication."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from webhook.contract import Task
from worker.errors import Permanent
from worker.formats.errors import MediaError, UnsupportedMedia
from worker.formats.media_types import CONTENT_TYPES
from worker.jobs.change import Outcome
from worker.jobs.job import Job, JobState
from worker.provenance import UNSIGNED
from worker.steps.media_config import MediaConfig
from worker.steps.passthrough import METHOD, delivered, extras, kept
from worker.steps.passthrough_tags import tag_files
from worker.steps.progress import Progress
from worker.storage import Storage, file_record
from worker.storage.layout import SOURCE, work_key
from worker.storage.scratch import scratch
from worker.transcode.ffmpeg import Ffmpeg
from worker.transcode.metering import Meter
from worker.transcode.result import TranscodeResult
from worker.transcode.transcoder import transcode
from worker.types import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscodeTag:
    """The source to a delivery that plays everywhere and says where it comes from."""

    storage: Storage
    ffmpeg: Ffmpeg
    progress: Progress
    config: MediaConfig = field(default_factory=MediaConfig)

    def work(self, job: Job) -> Outcome:
        """TAGGED: the delivery is whole in storage, what it is on the record."""
        if others := delivered(job):
            outputs = others | {"files": self._tag(job, extras(job))}
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
                    self.config.tags(job),
                    ffmpeg=self.ffmpeg,
                    profile=self.config.profile_of(job),
                    credentials=self.config.signer,
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
        outputs = recorded(made, files | self._tag(job, extras(job))) | {"cost": meter.record()}
        told = {"method": made.method, "reasons": ", ".join(made.reasons)}
        return Outcome(to=JobState.TAGGED, set={"outputs": outputs}, event=told)

    def _as_it_is(self, job: Job, source: Path, why: UnsupportedMedia, meter: Meter) -> Outcome:
        """It is paid for, and may be just what was wanted: alpha, a GIF, another container."""
        files = self._tag(job, extras(job) | kept(self.storage, job, source))
        outputs = {"method": METHOD, "reason": why.sentence, "files": files}
        return Outcome(
            to=JobState.TAGGED,
            set={"outputs": outputs | {"cost": meter.record()}},
            event={"method": METHOD, "reasons": why.sentence},
        )

    def _keep(self, job: Job, path: Path) -> Json:
        content_type = CONTENT_TYPES[path.suffix]
        self.storage.put(work_key(job.id, path.name), path, content_type=content_type)
        record = file_record(path) | {"content_type": content_type}
        if self.config.signer and path.suffix in UNSIGNED:
            record["unsigned"] = UNSIGNED[path.suffix]
        return record

    def _tag(self, job: Job, files: Mapping[str, Json]) -> dict[str, Json]:
        return tag_files(job, files, storage=self.storage, config=self.config)


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
