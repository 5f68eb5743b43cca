"""The probe of `falhook check` about each worker process."""

from collections.abc import Collection, Iterator

from webhook.contract import Queue
from worker.broker.client import client
from worker.broker.heartbeats import WorkerSeen, workers_seen
from worker.cli.check.processes import CLOCKS_DIFFER, CLOCKS_WRONG
from worker.cli.check.warning import CheckWarning
from worker.cli.errors import CliError
from worker.jobs.deployment import fingerprint
from worker.settings.settings import Settings


def workers(settings: Settings) -> str:
    """Check that each queue has a worker, and each worker the same clock and secret as here."""
    try:
        seen = workers_seen(client(settings))
    except Exception as error:  # kombu raises each transport's own errors
        raise CheckWarning(
            f"workers cannot be seen: the broker did not answer ({type(error).__name__})"
        ) from error
    faults = [*_missing(seen), *_strangers(seen, settings), *_clocks(seen, CLOCKS_WRONG)]
    if faults:
        raise CliError("; ".join(faults))
    if differing := list(_clocks(seen, CLOCKS_DIFFER)):
        raise CheckWarning("; ".join(differing))
    return ", ".join(f"{worker.name} (pid {worker.pid})" for worker in seen)


def _missing(seen: Collection[WorkerSeen]) -> Iterator[str]:
    served = {queue for worker in seen for queue in worker.queues}
    if missing := sorted(queue for queue in Queue if queue not in served):
        yield (
            f"no worker serves {', '.join(missing)}; start one (see the Procfile), "
            "jobs wait until then"
        )


def _strangers(seen: Collection[WorkerSeen], settings: Settings) -> Iterator[str]:
    accepted = {"", *map(fingerprint, settings.secrets)}  # "": a worker of an earlier version
    for worker in seen:
        if Queue.SUBMIT in worker.queues and worker.secret not in accepted:
            yield (
                f"{worker.name} (pid {worker.pid}) signs callback addresses with a FALHOOK_SECRET "
                "that is not the one here; set the same for every process and restart them"
            )


def _clocks(seen: Collection[WorkerSeen], most: float) -> Iterator[str]:
    for worker in seen:
        if abs(worker.ahead) > most:
            direction = "ahead of" if worker.ahead > 0 else "behind"
            yield (
                f"the clock of {worker.name} (pid {worker.pid}) is {abs(worker.ahead):.1f} s "
                f"{direction} this machine's; synchronise both by NTP: leases last only 20 s"
            )
