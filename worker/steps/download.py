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
    """fal's CDN to our storage."""

    downloader: Downloader
    storage: Storage
    progress: Progress

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
