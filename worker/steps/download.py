"""The download step: from fal's CDN to storage."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import cast

from webhook.contract import Task
from worker.fal.download import Downloader
from worker.fal.result import CLIPS, ResultFile, video_of
from worker.formats.media_types import BY_EXTENSION
from worker.jobs.change import Outcome
from worker.jobs.counts import bytes_in
from worker.jobs.job import Job, JobState
from worker.steps.passthrough import Passthrough
from worker.steps.progress import Progress
from worker.storage import Storage
from worker.storage.layout import SOURCE, work_key
from worker.transcode.metering import Meter
from worker.types import Json

# Seconds after the render in which the CDN may not have the file yet, or serve a page instead.
CDN_PATIENCE = 120.0
_CLIP_TYPES = frozenset(BY_EXTENSION[extension].name for extension in CLIPS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """Downloads the result of a job to storage. `clock` is Unix seconds."""

    downloader: Downloader
    storage: Storage
    progress: Progress
    clock: Callable[[], float] = time.time

    def work(self, job: Job) -> Outcome:
        """Return DOWNLOADED, with size and SHA-256, once the source is complete in storage.

        Raises Transient and Permanent; what the CDN does not have in the first minutes after the
        render is Transient, for each file of the result.
        """
        passthrough = Passthrough(
            downloader=self.downloader,
            storage=self.storage,
            allows=self.downloader.hosts.allows,
            patient=self.clock() < job.updated_at + CDN_PATIENCE,
        )
        files = passthrough.files(job)
        if video := video_of(files):
            return self._with_video(job, passthrough, video)
        outcome = passthrough.download(job, self.progress.bytes(job, Task.DOWNLOAD))
        return self._promoted(job, files, outcome)

    def _with_video(self, job: Job, passthrough: Passthrough, video: ResultFile) -> Outcome:
        progress = self.progress.bytes(job, Task.DOWNLOAD)
        # First, because the video would be downloaded again if one of them has to wait.
        extras = passthrough.download_extras(job, video.address, progress)
        key = work_key(job.id, SOURCE)
        with Meter().measure("download") as usage:
            downloaded = passthrough.store.fetch(
                video,
                lambda chunks: self.storage.put(key, chunks, content_type="video/mp4"),
                progress,
                expect="media",
            )
        usage.bytes_in = usage.bytes_out = downloaded.size
        source: dict[str, Json] = {
            "bytes": downloaded.size,
            "sha256": downloaded.sha256,
            "cost": usage.record(),
            **extras,
        }
        event = {"bytes": str(downloaded.size), "resumed": str(downloaded.resumed)}
        return Outcome(
            to=JobState.DOWNLOADED,
            set={"source": source},
            event=event,
            count=bytes_in(downloaded.size),
        )

    def _promoted(self, job: Job, files: tuple[ResultFile, ...], outcome: Outcome) -> Outcome:
        """Return the outcome with a file as the job's video that only its bytes show to be one."""
        source = cast(Mapping[str, Mapping[str, Json]], outcome.set["source"])
        records = dict(source["files"])
        unclear = {file.path for file in files if file.media.extension not in CLIPS}
        for name, record in source["files"].items():
            match record:
                case {"output": str(path), "content_type": str(kind), **about} if (
                    path in unclear and kind in _CLIP_TYPES
                ):
                    self.storage.copy(work_key(job.id, name), work_key(job.id, SOURCE))
                    del records[name]
                    found = {"bytes": about["bytes"], "sha256": about["sha256"], "output": path}
                    return replace(outcome, set={"source": {**source, **found, "files": records}})
        return outcome
