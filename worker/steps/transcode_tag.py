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
from worker.steps.passthrough import METHOD, extra_files, store_source, unchanged_outputs
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
    """Turns the source into outputs that play everywhere and say where they come from."""

    storage: Storage
    ffmpeg: Ffmpeg
    progress: Progress
    config: MediaConfig = field(default_factory=MediaConfig)

    def work(self, job: Job) -> Outcome:
        """Return TAGGED, with the outputs, once all files are complete in storage."""
        if unchanged := unchanged_outputs(job):
            outputs = unchanged | {"files": self._tag(job, extra_files(job))}
            event = {"method": str(unchanged["method"])}
            return Outcome(to=JobState.TAGGED, set={"outputs": outputs}, event=event)
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
                    signer=self.config.signer,
                    progress=self.progress.encoding(job, Task.TRANSCODE_TAG),
                    meter=meter,
                )
            except UnsupportedMedia as unsupported:
                return self._unchanged(job, source, unsupported, meter)
            except MediaError as error:
                raise Permanent(error.reason, error.sentence) from error
            with meter.measure("store") as cost:
                files = {path.name: self._store(job, path) for path in made.files}
                cost.bytes_in = cost.bytes_out = sum(path.stat().st_size for path in made.files)
        outputs = output_record(made, files | self._tag(job, extra_files(job))) | {
            "cost": meter.record()
        }
        event = {"method": made.method, "reasons": ", ".join(made.reasons)}
        return Outcome(to=JobState.TAGGED, set={"outputs": outputs}, event=event)

    def _unchanged(
        self, job: Job, source: Path, unsupported: UnsupportedMedia, meter: Meter
    ) -> Outcome:
        """Publish the paid source unchanged: alpha, a GIF or another container may be intended."""
        files = self._tag(job, extra_files(job) | store_source(self.storage, job, source))
        outputs = {"method": METHOD, "reason": unsupported.sentence, "files": files}
        return Outcome(
            to=JobState.TAGGED,
            set={"outputs": outputs | {"cost": meter.record()}},
            event={"method": METHOD, "reasons": unsupported.sentence},
        )

    def _store(self, job: Job, path: Path) -> Json:
        content_type = CONTENT_TYPES[path.suffix]
        self.storage.put(work_key(job.id, path.name), path, content_type=content_type)
        record = file_record(path) | {"content_type": content_type}
        if self.config.signer and path.suffix in UNSIGNED:
            record["unsigned"] = UNSIGNED[path.suffix]
        return record

    def _tag(self, job: Job, files: Mapping[str, Json]) -> dict[str, Json]:
        return tag_files(job, files, storage=self.storage, config=self.config)


def output_record(made: TranscodeResult, files: Mapping[str, Json]) -> dict[str, Json]:
    """Return the outputs as the job's record and the manifest describe them."""
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
    """Return whether files are signed, and what became of the source's credentials."""
    theirs = made.source_credentials.record() if made.source_credentials else {}
    if made.signed:
        return {"state": "signed", "validation": made.signed, **theirs}
    return {"state": "unsigned", **theirs}
