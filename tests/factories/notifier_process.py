"""A notifier as a process that can be killed: `python -m tests.factories.notifier_process URL`.

It does what a worker of the queue notify does for each message, and what beat and the sweep do, but
many times a second, so that tests need not wait for them.
"""

import sys
import time

from redis.exceptions import RedisError

from tests.factories.notifications import LoopbackSettings, no_storage
from webhook import log as logs
from worker.jobs.store import JobStore, connect
from worker.notifications.composition import Notifications

# Seconds: what a killed process had claimed is sent again after the lease.
LEASE, GUARD, PAUSE = 4.0, 3.0, 0.02


def main(url: str) -> None:
    logs.configure(level="WARNING", form="json")
    redis = connect(url)
    notifications = Notifications(
        redis=redis,
        settings=LoopbackSettings(),
        store=JobStore(redis),
        archived=lambda _job_id: None,
        storage=no_storage,
        lease=LEASE,
        guard=GUARD,
    )
    notifier = notifications.notifier()
    overdue = notifications.overdue(lambda _task, _argument: None)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        try:
            overdue.run()
            notifier.run()
        except RedisError:
            pass
        time.sleep(PAUSE)


if __name__ == "__main__":
    main(sys.argv[1])
