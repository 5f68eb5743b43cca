"""The transcode_tag step: from the source in storage to the tagged files of the publication."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from webhook.contract import Task
from webhook.log import get_logger
from worker.errors import Failure, Permanent, Transient
from worker.formats.errors import MediaError, UnsupportedMedia
from worker.formats.media_types import CONTENT_TYPES
from worker.formats.mp4 import faults
from worker.jobs.change import Outcome
from worker.jobs.counts import ffmpeg_seconds
from worker.jobs.job import Job, JobState
from worker.jobs.step import is_last_wait
from worker.provenance import UNSIGNED
from worker.steps.media_config import MediaConfig
from worker.steps.passthrough import METHOD, extra_files, store_source, unchanged_outputs
from worker.steps.passthrough_tags import tag_files
from worker.steps.progress import Progress
from worker.steps.whole_source import is_whole
from worker.storage import Storage, file_record
from worker.storage.layout import SOURCE, work_key
from worker.storage.scratch import scratch
from worker.transcode.downmix import downmixed
from worker.transcode.ffmpeg import Ffmpeg
from worker.transcode.metering import Meter
from worker.transcode.result import TranscodeResult
from worker.transcode.transcoder import transcode
from worker.types import Json

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscodeTag:
    """Turns the source into outputs that play everywhere and say where they come from."""

    storage: Storage
    ffmpeg: Ffmpeg
    progress: Progress
    config: MediaConfig = field(default_factory=MediaConfig)

    def work(self, job: Job) -> Outcome:
        """Return TAGGED, with the outputs, once all files are complete in storage.

        A clip that can never be signed, or could not within all waits, is in them unsigned.
        """
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
                    poster=self.config.poster_of(job),
                    loudness=self.config.loudness_of(job),
                    signer=self.config.signer,
                    last=is_last_wait(job),
                    progress=self.progress.encoding(job, Task.TRANSCODE_TAG),
                    meter=meter,
                )
            except UnsupportedMedia as unsupported:
                return self._unchanged(job, source, unsupported, meter)
            except MediaError as error:
                raise Permanent(error.reason, error.sentence) from error
            with meter.measure("store") as cost:
                unsigned = {**_never_signed(made), **made.unsigned}
                files = {path.name: self._store(job, path, unsigned) for path in made.files}
                cost.bytes_in = cost.bytes_out = sum(path.stat().st_size for path in made.files)
        outputs = output_record(made, files | self._tag(job, extra_files(job))) | {
            "cost": meter.record()
        }
        if made.refusal:
            reason = made.refusal.reason
            log.warning("job.rescued", job=job.id, step=Task.TRANSCODE_TAG, reason=reason)
        event = {"method": made.method, "reasons": ", ".join(made.reasons)}
        counted = ffmpeg_seconds(meter.parts["ffmpeg"].wall)
        return Outcome(to=JobState.TAGGED, set={"outputs": outputs}, event=event, count=counted)

    def rescue(self, job: Job, failure: Failure) -> Outcome | None:
        """Return the outcome that publishes what fal made, with the reason why `work` failed.

        None if the source is cut short, hostile, or cannot be shown to be whole.
        """
        if unchanged := unchanged_outputs(job):
            files = _untagged(extra_files(job), failure)
            event = {"method": str(unchanged["method"]), "reasons": failure.sentence}
            outputs = unchanged | {"files": files}
            return Outcome(to=JobState.TAGGED, set={"outputs": outputs}, event=event)
        with scratch(job.id) as directory:
            source = directory / SOURCE
            self.storage.get(work_key(job.id, SOURCE), source)
            if not is_whole(source, self.ffmpeg, directory):
                return None
            files = extra_files(job) | store_source(self.storage, job, source)
        try:
            files = self._tag(job, files)
        except Transient as another:
            files = _untagged(files, another)
        return _as_it_came(files, failure.sentence, Meter())

    def _unchanged(
        self, job: Job, source: Path, unsupported: UnsupportedMedia, meter: Meter
    ) -> Outcome:
        """Publish the paid source unchanged: alpha, a GIF or another container may be intended."""
        files = self._tag(job, extra_files(job) | store_source(self.storage, job, source))
        return _as_it_came(files, unsupported.sentence, meter)

    def _store(self, job: Job, path: Path, unsigned: Mapping[str, str]) -> Json:
        content_type = CONTENT_TYPES[path.suffix]
        self.storage.put(work_key(job.id, path.name), path, content_type=content_type)
        record = file_record(path) | {"content_type": content_type}
        if path.name in unsigned:
            record["unsigned"] = unsigned[path.name]
        return record

    def _tag(self, job: Job, files: Mapping[str, Json]) -> dict[str, Json]:
        return tag_files(
            job, files, storage=self.storage, config=self.config, last=is_last_wait(job)
        )


def _as_it_came(files: dict[str, Json], reason: str, meter: Meter) -> Outcome:
    outputs = {"method": METHOD, "reason": reason, "files": files, "cost": meter.record()}
    event = {"method": METHOD, "reasons": reason}
    return Outcome(to=JobState.TAGGED, set={"outputs": outputs}, event=event)


def _never_signed(made: TranscodeResult) -> dict[str, str]:
    """Return why files of some formats are not signed, by name, if others are."""
    listed = [path for path in made.files if path.suffix in UNSIGNED]
    return {path.name: UNSIGNED[path.suffix] for path in listed} if made.signed else {}


def _untagged(files: Mapping[str, Json], failure: Failure) -> dict[str, Json]:
    return {name: _added(about, {"untagged": failure.sentence}) for name, about in files.items()}


def _added(record: Json, members: Mapping[str, Json]) -> Json:
    return {**record, **members} if isinstance(record, dict) else record


def output_record(made: TranscodeResult, files: Mapping[str, Json]) -> dict[str, Json]:
    """Return the outputs as the job's record and the manifest describe them."""
    video = made.probe
    stretches = made.stretches.record()
    record: dict[str, Json] = {
        "method": made.method,
        "profile": made.profile,
        "video": {
            "width": video.width,
            "height": video.height,
            "displayed_width": video.displayed[0],
            "displayed_height": video.displayed[1],
            "rotation": video.rotation,
            "sample_aspect": ":".join(map(str, video.aspect)),
            "seconds": round(video.duration, 3),
            "fps": round(video.fps, 3),
            "video_codec": video.codec,
            "audio_codec": video.audio,
            "bit_rate": round(video.bit_rate),
            **({"loudness": made.loudness.record()} if made.loudness else {}),
            **made.normalisation.record(),
            **({"stretches": stretches} if stretches else {}),
        },
        "files": dict(files),
    }
    if left_out := (*made.source.left_out, *faults(made.source)):
        record["left_out"] = list(left_out)
    if downmix := downmixed(made.source, video):
        record["downmixed"] = downmix
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
    refusal = made.refusal
    why = {"reason": refusal.reason, "sentence": refusal.sentence} if refusal else {}
    return {"state": "unsigned", **theirs, **why}
