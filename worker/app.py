"""The Celery application of workers and beat: its settings and its tasks."""

import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial

from celery import Celery
from celery.exceptions import CPendingDeprecationWarning
from celery.signals import celeryd_after_setup, setup_logging, worker_init
from celery.worker import WorkController
from fal_client.auth import FAL_QUEUE_RUN_HOST

from webhook.contract import Task
from webhook.log import setup as logs
from worker.broker import time_limits
from worker.broker.client import client
from worker.broker.heartbeats import announce_queues
from worker.composition import Components, compose
from worker.errors import Permanent
from worker.jobs.store import connect
from worker.settings import Settings
from worker.startup import SimulatedJobsFound, refuse_simulated_jobs
from worker.steps.sweep import INTERVAL
from worker.storage import Storage, require_usable, scratch


def create_app(settings: Settings) -> Celery:
    """The Celery application of a worker or beat, with every task registered."""
    logs.configure(level=settings.log_level, form=settings.log_format)
    setup_logging.connect(_keep_logging, weak=False)
    app = client(settings)
    app.conf.update(
        # Acknowledged once the step is over: a message whose worker died comes again. It is no
        # more than a second net, since the record's timer wakes the step within 30 s anyway.
        task_acks_late=True,
        # A killed worker's message comes back, rather than counting as done.
        task_reject_on_worker_lost=True,
        # One message waits for each slot at most: a worker that hangs or is killed keeps few from
        # the others. Measured: with 4, messages that waited behind long tasks came twice.
        worker_prefetch_multiplier=1,
        # Measured: with remote control a worker exits when Redis restarts under a running task
        # (11 of 11 times). Flower then shows what `-E` sends it and cannot command workers.
        worker_enable_remote_control=False,
        # A step outlives a lost connection: its outcome is written to the record, not the broker.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        # Redis may be away for as long as it likes; a worker that gave up would have to be
        # restarted by somebody.
        broker_connection_max_retries=None,
        beat_schedule={
            # Without `expires`: it is a time of beat's clock, and a worker whose clock is ahead
            # would throw every sweep away. Sweeps that piled up find nothing to do, and cost 1 ms.
            "sweep": {"task": Task.SWEEP, "schedule": INTERVAL}
        },
    )
    storage = Storage.open(settings.storage_url)
    worker_init.connect(_remove_scratch, weak=False)
    worker_init.connect(partial(_check_storage, storage), weak=False)
    worker_init.connect(partial(_check_jobs, settings.redis_url), weak=False)
    worker_init.connect(_check_limits, weak=False)
    celeryd_after_setup.connect(announce_queues, weak=False)
    celeryd_after_setup.connect(_pass_over, weak=False)
    _register(app, compose(settings, app, storage))
    return app


def _keep_logging(**_: object) -> None:
    """Connected, it keeps Celery from setting up logging of its own."""


def _pass_over(**_: object) -> None:
    # At every lost connection Celery says what its default will be, though we set the option.
    told = r"\s*In Celery 5\.1 we introduced an optional breaking change"
    warnings.filterwarnings("ignore", message=told, category=CPendingDeprecationWarning)


def _check_storage(storage: Storage, **_: object) -> None:
    try:
        require_usable(storage)
    except Permanent as failure:
        sys.stderr.write(f"{failure.sentence}\n")
        raise SystemExit(2) from None


def _check_jobs(redis_url: str, **_: object) -> None:
    try:
        with connect(redis_url) as redis:
            refuse_simulated_jobs(redis, FAL_QUEUE_RUN_HOST)
    except SimulatedJobsFound as simulated:
        sys.stderr.write(f"{simulated}\n")
        raise SystemExit(2) from None


def _remove_scratch(**_: object) -> None:
    """What workers left that were killed: a clip's copies are gigabytes."""
    scratch.sweep()


def _check_limits(sender: WorkController, **_: object) -> None:
    # The command line's limits are known to the worker alone, those of tasks to the application.
    conf, tasks = sender.app.conf, sender.app.tasks.values()
    given = {
        "--time-limit": getattr(sender, "time_limit", None),
        "--soft-time-limit": getattr(sender, "soft_time_limit", None),
        "task_time_limit": conf.task_time_limit,
        "task_soft_time_limit": conf.task_soft_time_limit,
        **{f"time_limit of {task.name}": task.time_limit for task in tasks},
        **{f"soft_time_limit of {task.name}": task.soft_time_limit for task in tasks},
    }
    try:
        time_limits.check(conf.broker_transport_options, given)
    except time_limits.UnsafeTimeLimits as unsafe:
        sys.stderr.write(f"{unsafe}\n")
        raise SystemExit(2) from None


def _register(app: Celery, tools: Components) -> None:
    def ingest(job_ids: Sequence[str]) -> None:
        """Bring the pending callbacks of these jobs to their records."""
        tools.ingest.run(job_ids)

    def sweep() -> None:
        """Wake whatever should have moved and did not."""
        tools.sweep.run()

    tools.create.register(app)
    app.task(name=Task.INGEST)(ingest)
    app.task(name=Task.SWEEP)(sweep)
    for task in tools.pipeline.steps:
        app.task(name=task)(_step(tools, task))


def _step(tools: Components, task: Task) -> Callable[[str], None]:
    def step(job_id: str) -> None:
        """Take the job through this step, if it may."""
        tools.pipeline.run(task, job_id)

    return step
