"""Messages of a command that wake the notifier, so that receivers need not wait for the sweep."""

from typing import TYPE_CHECKING

from webhook.contract import Task

if TYPE_CHECKING:
    from worker.jobs.store import JobStore


def telling(store: "JobStore") -> "JobStore":
    """Return the store as one whose changes wake the notifier, if receivers are owed an event."""

    def ring(job_id: str) -> None:
        # Most jobs owe nothing: then Celery, which takes long to import, is not needed.
        from worker.notifications.outbox import Bell

        Bell(store.redis, _wake)(job_id)

    return type(store)(store.redis, clock=store.clock, owed=ring)


def wake_notifier() -> None:
    """Have the notifier look at the lanes; a failure is logged and left to the sweep."""
    from worker.notifications.outbox import LANES

    _wake(Task.NOTIFY, LANES)


def _wake(task: Task, argument: object) -> None:
    from webhook import log as logs
    from webhook.settings.errors import SettingsError
    from webhook.settings.settings import Connections
    from worker.broker.client import client, waker

    logs.configure(level="WARNING")
    try:
        connections = Connections.from_env()
    except SettingsError as error:
        # What the command was asked to do is done.
        logs.get_logger().warning("wake.failed", step=task, error=error)
    else:
        waker(client(connections))(task, argument)
