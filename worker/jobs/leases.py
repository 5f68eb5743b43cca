"""Leases: a living worker keeps its jobs; the jobs of a dead one are taken over.

While a step runs, the lease of its job is renewed every RENEWAL seconds. A killed worker renews
nothing: its leases end within LEASE, and the sweep wakes the step for another worker.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from webhook.log import get_logger
from worker.jobs.change import Change
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore

# In seconds; below the time in which docs/architecture.md promises that a killed step is resumed.
LEASE = 20.0
RENEWAL = 5.0

log = get_logger()


@dataclass(frozen=True, slots=True)
class _Lease:
    job: Job
    state: JobState


class Leases:
    """The leases of this process, renewed by one thread, which ends when none is left."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._leases: dict[str, _Lease] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def hold(self, job: Job, state: JobState) -> Iterator[None]:
        """Renew the lease that was claimed with `job` until the block ends."""
        with self._lock:
            self._leases[job.lease_owner] = _Lease(job, state)
            if self._thread is None:
                self._thread = threading.Thread(target=self._renew, name="leases", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                del self._leases[job.lease_owner]

    def _renew(self) -> None:
        pause = threading.Event()
        while not pause.wait(RENEWAL):
            with self._lock:
                leases = tuple(self._leases.values())
                if not leases:
                    self._thread = None
                    return
            for lease in leases:
                self._extend(lease)

    def _extend(self, lease: _Lease) -> None:
        until = self._store.clock() + LEASE
        change = Change(
            set={"lease_until": until},
            guard={"lease_owner": lease.job.lease_owner},
            due=until,
        )
        try:
            renewed = self._store.change(lease.job.id, [lease.state], change)
        except Exception as error:  # noqa: BLE001  # this thread renews the leases of all steps
            log.warning("lease.lost", job=lease.job.id, error=error)
            return
        if not renewed:
            log.warning("lease.lost", job=lease.job.id, error="taken_over")
