"""The Celery application of workers and beat: its configuration and its tasks."""

import warnings
from collections.abc import Callable, Sequence

from celery import Celery
from celery.exceptions import CPendingDeprecationWarning
from celery.signals import (
    celeryd_after_setup,
    setup_logging,
    worker_init,
    worker_shutting_down,
)
from fal_client.auth import FAL_QUEUE_RUN_HOST

from webhook import log as logs
from webhook.contract import Task
from worker.broker.client import client
from worker.broker.earlier_queues import mover
from worker.broker.heartbeats import announce_queues, announce_secret
from worker.broker.process_events import log_process_events
from worker.composition import Components, compose
from worker.jobs.deployment import fingerprint
from worker.jobs.store import connect
from worker.liveness import celery_hooks
from worker.liveness.beats import Beats
from worker.liveness.longest import MOST
from worker.metrics import celery_hooks as metrics_hooks
from worker.pipeline import STEPS
from worker.retention.retention import INTERVAL as RETENTION_INTERVAL
from worker.settings.settings import Settings
from worker.startup import exit_on_error, prepare_worker
from worker.steps.sweep import INTERVAL
from worker.storage.scratch import require_temporary_directory
from worker.storage_claim import open_storage


def create_app(settings: Settings) -> Celery:
    """Return the Celery application of a worker or beat, with every task registered."""
    logs.configure(level=settings.log_level, form=settings.log_format)
    setup_logging.connect(_keep_logging, weak=False)
    log_process_events()
    require_temporary_directory()
    app = client(settings)
    app.conf.update(
        # Acknowledged once the step is over: a message whose worker died comes again. It is only
        # a second safety net, since the record's timer wakes the step within 30 s anyway.
        task_acks_late=True,
        # A killed worker's message comes back instead of counting as done.
        task_reject_on_worker_lost=True,
        # At most one message waits for each slot: a worker that hangs or is killed keeps few from
        # the others. Measured: with 4, messages that waited behind long tasks came twice.
        worker_prefetch_multiplier=1,
        # Measured: with remote control a worker exits when Redis restarts under a running task
        # (11 of 11 times). Flower then shows what `-E` sends it and cannot command workers.
        worker_enable_remote_control=False,
        # A step outlives a lost connection: its outcome is written to the record, not the broker.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        # Redis may be away for any length of time; a worker that gave up would have to be
        # restarted by an operator.
        broker_connection_max_retries=None,
        beat_schedule={
            # Without `expires`, which is a time of beat's clock: a worker whose clock is ahead
            # would discard every sweep. Sweeps that pile up find nothing to do, and cost 1 ms.
            "sweep": {"task": Task.SWEEP, "schedule": INTERVAL},
            "retain": {"task": Task.RETAIN, "schedule": RETENTION_INTERVAL},
        },
    )
    storage = open_storage(settings.storage_url, settings.redis_url)

    def prepare(**_: object) -> None:
        exit_on_error(
            lambda: prepare_worker(
                redis_url=settings.redis_url,
                public_url=settings.public_url,
                queue_host=FAL_QUEUE_RUN_HOST,
                storage=storage,
            )
        )

    worker_init.connect(prepare, weak=False)
    celeryd_after_setup.connect(announce_queues, weak=False)
    announce_secret(fingerprint(settings.secrets[0]))
    celeryd_after_setup.connect(_ignore_deprecation, weak=False)
    move = mover(app, settings.broker_url)
    beats = Beats(settings.heartbeat_directory)
    celery_hooks.connect(beats, app, most=MOST, ping=connect(settings.redis_url).ping)
    metrics_hooks.connect(settings.metrics_host, settings.process_metrics_port)
    components = compose(settings, app, storage, beats.go_on)
    # A notifier with much to do would not end: Celery waits for its task.
    worker_shutting_down.connect(lambda **_: components.notifier.stop(), weak=False)
    _register(app, components, move)
    return app


def _keep_logging(**_: object) -> None:
    """Do nothing: a connected handler keeps Celery from configuring logging itself."""


def _ignore_deprecation(**_: object) -> None:
    # At every lost connection Celery announces a new default, though we set the option.
    message = r"\s*In Celery 5\.1 we introduced an optional breaking change"
    warnings.filterwarnings("ignore", message=message, category=CPendingDeprecationWarning)


def _register(
    app: Celery, components: Components, move_from_earlier_queues: Callable[[], int]
) -> None:
    def ingest(job_ids: Sequence[str]) -> None:
        """Apply the pending callbacks of these jobs to their records."""
        components.ingest.run(job_ids)

    def sweep() -> None:
        """Wake every job that should have moved and did not."""
        components.sweep.run()
        move_from_earlier_queues()

    def notify(_: object = None) -> None:
        """Put owed events into the lanes of their receivers, and serve the lanes."""
        components.notifier.run()

    def retain() -> None:
        """Archive the records of jobs that ended long ago."""
        components.retention.run()

    components.create.register(app)
    app.task(name=Task.RETAIN)(retain)
    app.task(name=Task.NOTIFY)(notify)
    app.task(name=Task.INGEST)(ingest)
    app.task(name=Task.SWEEP)(sweep)
    for step in STEPS:
        app.task(name=step.task)(_step(components, step.task))


def _step(components: Components, task: Task) -> Callable[[str], None]:
    def step(job_id: str) -> None:
        """Take the job through this step, if it is ready for it."""
        components.pipeline.run(task, job_id)

    return step
