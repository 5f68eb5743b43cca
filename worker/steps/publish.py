"""The publish step: the files in place, then the manifest."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from webhook.log import get_logger
from worker.errors import Failure, Permanent
from worker.formats.tags import AI_ORIGIN
from worker.jobs.change import Outcome
from worker.jobs.counts import bytes_out
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore
from worker.steps.passthrough import result_without_files
from worker.storage import Storage
from worker.storage.layout import MANIFEST, published_key, work_key, work_prefix
from worker.transcode.ffmpeg import ResourceUsage
from worker.transcode.metering import Meter
from worker.types import Json
from worker.version import VERSION

# What the record of a published job need not repeat, or has no use for.
IN_THE_MANIFEST = (
    *("payload", "source", "response_url", "cancel_url", "looked_up", "due_at"),
    *("lease_owner", "lease_until", "tries", "waits", "wakes", "step", "reason", "sentence"),
)

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    """Moves files from the work area of storage to the published one."""

    storage: Storage
    store: JobStore

    def work(self, job: Job) -> Outcome:
        """Return PUBLISHED once the files and then their manifest are in place.

        A repetition after a crash changes nothing: the first manifest stays.
        """
        files = job.outputs.get("files")
        if not isinstance(files, dict):
            raise Permanent("no_outputs", "the record has no files to publish")
        address = published_key(job.id, MANIFEST)
        if self.storage.size(address) is None:
            with Meter().measure("publish") as cost:
                for name in files:
                    self.storage.copy(work_key(job.id, name), published_key(job.id, name))
            cost.bytes_in = cost.bytes_out = sum(map(_bytes, files.values()))
            content = json.dumps(self._manifest(job, cost), indent=2).encode() + b"\n"
            self.storage.put(address, content, content_type="application/json", create=True)
        self._clear(job)
        event = {"manifest": self.storage.address(address), "files": self._addresses(job, files)}
        return Outcome(
            to=JobState.PUBLISHED,
            set={"outputs": {"files": _top(files)}},
            event=event,
            drop=IN_THE_MANIFEST,
            unkept=("files",),
            forget=("progress",),
            count=bytes_out(sum(map(_bytes, files.values()))),
        )

    def _addresses(self, job: Job, files: Iterable[str]) -> str:
        """Return the addresses of the files as JSON, for the event.

        Those in folders are left out: a playlist has hundreds of segments.
        """
        return json.dumps(
            [self.storage.address(published_key(job.id, name)) for name in _top(files)]
        )

    def _clear(self, job: Job) -> None:
        try:
            self.storage.delete(work_prefix(job.id))
        except Failure as failure:
            # The files are published; those that are left only take space, and the log says where.
            log.warning("work.kept", job=job.id, reason=failure.reason)

    def _manifest(self, job: Job, cost: ResourceUsage) -> dict[str, Json]:
        source, outputs = dict(job.source), dict(job.outputs)
        costs = {"download": source.pop("cost", None), "transcode_tag": outputs.pop("cost", None)}
        if rest := result_without_files(job):
            outputs = {"result": rest, **outputs}
        return {
            "falhook": VERSION,
            "id": job.id,
            # The older name of `id`.
            "job_id": job.id,
            "endpoint": job.endpoint,
            "request_id": job.request_id,
            "attempt": job.attempt,
            "metadata": dict(job.metadata),
            "created_at": _iso(job.created_at),
            "published_at": _iso(self.store.clock()),
            "ai_origin": {"DigitalSourceType": AI_ORIGIN},
            "source": source,
            **outputs,
            "cost": {**costs, "publish": cost.record()},
        }


def _top(files: Iterable[str]) -> Sequence[str]:
    return [name for name in files if "/" not in name]


def _bytes(file: Json) -> int:
    match file:
        case {"bytes": int(size)}:
            return size
    return 0


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
