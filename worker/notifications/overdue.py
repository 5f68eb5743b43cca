"""What a lost message has left behind: events that are owed, and lanes that are due."""

from collections.abc import Callable
from dataclasses import dataclass

from redis import Redis

from webhook.contract import Task
from worker.notifications.due_lanes import DueLanes
from worker.notifications.new_receivers import NewReceivers
from worker.notifications.outbox import GRACE, LANES, Outbox
from worker.notifications.routes import USED


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueNotifications:
    """Wakes the notifier for what it has not done in time. `clock` is Unix seconds."""

    redis: Redis
    outbox: Outbox
    due: DueLanes
    new: NewReceivers
    wake: Callable[[Task, object], object]
    clock: Callable[[], float]

    def run(self) -> bool:
        """Wake it if there is something to do; return whether there was.

        A deployment that never had an endpoint pays one command.
        """
        if not self.redis.exists(USED):
            return False
        waiting = self.outbox.waiting(self.clock() - GRACE)
        self.outbox.ring(waiting)
        if not (waiting or self.due.any_due(self.clock()) or self.new.ready()):
            return False
        self.wake(Task.NOTIFY, LANES)
        return True
