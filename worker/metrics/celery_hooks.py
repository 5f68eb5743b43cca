"""Has a worker of Celery count its tasks, and serve what it counted at a port of its own."""

from typing import Any

from celery.signals import celeryd_after_setup, task_postrun, task_prerun
from celery.worker import WorkController

from webhook.contract import EARLIER, Queue
from worker.metrics.listener import serve_page
from worker.metrics.page import ProcessPage
from worker.metrics.worker_tasks import WorkerTasks


def connect(host: str, first_port: int) -> None:
    """Have this process serve /metrics, if it becomes a worker; nothing if the port is 0.

    `first_port` is the API's: each kind of worker has the next one, by the order of Queue.
    """
    if not first_port:
        return
    tasks = WorkerTasks()

    def begin(instance: WorkController, **_: object) -> None:
        tasks.queue = first_queue(instance)
        tasks.slots = int(instance.concurrency)  # type: ignore[attr-defined]
        port = first_port + 1 + list(Queue).index(tasks.queue)
        serve_page(ProcessPage(tasks.collect).text, host, port)

    def end(sender: Any, state: object = None, **_: object) -> None:
        tasks.end(sender.name, str(state))

    task_prerun.connect(lambda **_: tasks.begin(), weak=False)
    task_postrun.connect(end, weak=False)
    celeryd_after_setup.connect(begin, weak=False)


def first_queue(instance: WorkController) -> Queue:
    """Return the first queue that the worker takes from, by the order of Queue."""
    queues: Any = instance.app.amqp.queues
    names = {name for taken in queues.consume_from.items() for name in (taken[0], taken[1].name)}
    return next((each for each in Queue if names & {each, EARLIER[each]}), Queue.SUBMIT)
