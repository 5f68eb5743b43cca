"""What the command line makes jobs with: the user's own files, the user's own catalogue."""

from functools import cache
from pathlib import Path

from webhook import log as logs
from worker.broker.client import client, waker
from worker.catalogue.catalogue import Catalogue
from worker.cli.errors import CliError
from worker.jobs.store import JobStore, connect
from worker.operations.create import JobCreator
from worker.operations.staging import Staging
from worker.operations.validation import Validator
from worker.settings import CreationSettings, CreationWithRedis
from worker.storage import Storage


def checks_of(settings: CreationSettings) -> Validator:
    """The checks of orders typed at this machine; nothing is connected."""

    @cache
    def storage() -> Storage:
        try:
            return Storage.existing(settings.storage_url)
        except ValueError as error:
            raise CliError(f"{error}.") from None

    return Validator(
        catalogue=Catalogue.load(settings.catalogue),
        staging=Staging(storage=storage, directory=Path.cwd(), anywhere=True),
    )


def creator_of(settings: CreationWithRedis) -> JobCreator:
    """A creator of jobs, Redis surely reachable."""
    logs.configure(level="WARNING", form=settings.log_format)
    records = JobStore(connect(settings.redis_url))
    records.redis.ping()
    return JobCreator(store=records, checks=checks_of(settings), wake=waker(client(settings)))
