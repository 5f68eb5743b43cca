"""A notifier as a process that can be killed: `python -m tests.factories.notifier_process URL`.

With another argument, SECONDS, what a killed one had claimed is sent again after so long, and what
failed a second later: tests of kills cannot wait as long as a deployment does.

It does what a worker of the queue notify does for each message, and what beat and the sweep do, but
many times a second, so that tests need not wait for them.
"""

import sys
import time

from redis.exceptions import RedisError

from tests.factories.notifications import LoopbackSettings, no_storage
from webhook import log as logs
from worker.jobs.store import JobStore, connect
from worker.notifications import lanes, schedule
from worker.notifications.composition import Notifications
from worker.notifications.due_lanes import GUARD
from worker.notifications.lanes import LEASE

PAUSE = 0.02


def hurry() -> None:
    """Let failures be repeated soon."""
    schedule.WAITS = [0.0, *[1.0] * (len(schedule.WAITS) - 1)]
    vars(lanes)["PROBE"] = 2.0


def main(url: str, lease: float = LEASE) -> None:
    logs.configure(level="WARNING", form="json")
    redis = connect(url)
    notifications = Notifications(
        redis=redis,
        settings=LoopbackSettings(),
        store=JobStore(redis),
        archived=lambda _job_id: None,
        storage=no_storage,
        lease=lease,
        guard=min(GUARD, lease * 0.75),
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
    if sys.argv[2:]:
        hurry()
    main(sys.argv[1], *map(float, sys.argv[2:]))
