"""The names of the files that a job has published."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from worker.jobs.job import Job, JobState
from worker.storage import Storage
from worker.storage.layout import MANIFEST, published_key

# Manifests of which the names are kept: a player asks for hundreds of segments of one job.
_KEPT = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedNames:
    """Knows the files of each job; `storage` opens the storage when it is first needed."""

    storage: Callable[[], Storage]
    _known: dict[str, frozenset[str]] = field(default_factory=dict)

    def has(self, job: Job, name: str) -> bool:
        """Return whether the job has published a file of this name, be it lost since or not.

        Raises a Failure if the storage is unavailable.
        """
        if job.state is not JobState.PUBLISHED:
            return False
        files = job.outputs.get("files")
        top = files if isinstance(files, list | dict) else ()
        return name == MANIFEST or name in top or ("/" in name and name in self._in_folders(job.id))

    def _in_folders(self, job_id: str) -> frozenset[str]:
        """Return all names in the manifest, which never changes; the record has the others only."""
        if job_id not in self._known:
            content = self.storage().read(published_key(job_id, MANIFEST))
            if content is None:
                return frozenset()
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[job_id] = frozenset(json.loads(content).get("files", ()))
        return self._known[job_id]
