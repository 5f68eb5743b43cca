"""The download step: from fal's CDN to storage."""

from dataclasses import dataclass

from webhook.contract import Task
from worker.fal.download import Downloader
from worker.fal.result import video_address
from worker.jobs.change import Outcome
from worker.jobs.job import Job, JobState
from worker.steps.passthrough import Passthrough
from worker.steps.progress import Progress
from worker.storage import Storage
from worker.storage.layout import SOURCE, work_key
from worker.transcode.metering import Meter
from worker.types import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """Downloads the result of a job to storage."""

    downloader: Downloader
    storage: Storage
    progress: Progress

    def work(self, job: Job) -> Outcome:
        """Return DOWNLOADED, with size and SHA-256, once the source is complete in storage."""
        key, address = work_key(job.id, SOURCE), video_address(job.payload)
        passthrough = Passthrough(downloader=self.downloader, storage=self.storage)
        if address is None:
            return passthrough.download(job, self.progress.bytes(job, Task.DOWNLOAD))
        with Meter().measure("download") as usage:
            downloaded = self.downloader.fetch(
                address,
                lambda chunks: self.storage.put(key, chunks, content_type="video/mp4"),
                expect="media",
                progress=self.progress.bytes(job, Task.DOWNLOAD),
            )
        usage.bytes_in = usage.bytes_out = downloaded.size
        source: dict[str, Json] = {
            "bytes": downloaded.size,
            "sha256": downloaded.sha256,
            "cost": usage.record(),
            **passthrough.download_extras(job, address, self.progress.bytes(job, Task.DOWNLOAD)),
        }
        event = {"bytes": str(downloaded.size), "resumed": str(downloaded.resumed)}
        return Outcome(to=JobState.DOWNLOADED, set={"source": source}, event=event)
