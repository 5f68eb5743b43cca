"""Components that create jobs from a command line: the user's own files and catalogue."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from worker.catalogue.catalogue import Catalogue
from worker.cli.errors import CliError
from worker.notifications.target import TargetRules
from worker.operations.staging import Staging
from worker.operations.validation import Validator
from worker.settings.creation import CreationSettings, CreationWithRedis
from worker.storage import Storage

if TYPE_CHECKING:
    from worker.operations.create import JobCreator


def build_validator(settings: CreationSettings) -> Validator:
    """Return the validator of requests typed on this machine; it connects to nothing."""

    @cache
    def storage() -> Storage:
        try:
            return Storage.existing(settings.storage_url)
        except ValueError as error:
            raise CliError(f"{error}.") from None

    return Validator(
        catalogue=Catalogue.load(settings.catalogue),
        staging=Staging(storage=storage, directory=Path.cwd(), anywhere=True, check_uploads=True),
        targets=TargetRules.of(settings),
    )


def build_creator(settings: CreationWithRedis) -> "JobCreator":
    """Return a creator of jobs. Raises RedisError if Redis cannot be reached."""
    # A dry run sends nothing; Celery, Redis and the log take longer to import than all the rest.
    from webhook import log as logs
    from worker.broker.client import client, waker
    from worker.jobs.store import JobStore, connect
    from worker.notifications.outbox import Bell
    from worker.notifications.routes import KnownRoutes
    from worker.operations.create import JobCreator
    from worker.retention.archive import Archive

    logs.configure(level="WARNING", form=settings.log_format)
    redis = connect(settings.redis_url)
    wake = waker(client(settings))
    store = JobStore(redis, owed=Bell(redis, wake))
    store.redis.ping()
    validator = build_validator(settings)
    return JobCreator(
        store=store,
        validator=validator,
        wake=wake,
        event_metadata=settings.event_metadata_names,
        archived=Archive(redis=store.redis, storage=validator.staging.storage).get,
        routes=KnownRoutes(redis).now,
        traces=bool(settings.traces_url),
    )
