"""What the manifests of published jobs say of their files: the records have only the names."""

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping

from worker.jobs.job import Job
from worker.storage import Storage
from worker.storage.layout import MANIFEST, published_key
from worker.types import Json

# Jobs whose files are kept: each has several receivers and several attempts.
_KEPT = 256


class PublishedFiles:
    """Reads manifests, which never change, each once; safe to share between threads."""

    def __init__(self, storage: Callable[[], Storage]) -> None:
        self._storage = storage
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Mapping[str, Mapping[str, Json]]] = OrderedDict()

    def __call__(self, job: Job) -> Mapping[str, Mapping[str, Json]]:
        """Return the files of a published job. Raises a Failure if the storage is unavailable."""
        with self._lock:
            if job.id in self._known:
                return self._known[job.id]
        content = self._storage().read(published_key(job.id, MANIFEST))
        files = json.loads(content).get("files", {}) if content else {}
        known = {name: each for name, each in files.items() if isinstance(each, Mapping)}
        with self._lock:
            self._known[job.id] = known
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return known
