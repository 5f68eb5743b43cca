"""What the command line makes jobs with: the user's own files, the user's own catalogue."""

from functools import cache
from pathlib import Path

from webhook.log import setup as logs
from worker.broker.client import client, waker
from worker.catalogue.catalogue import Catalogue
from worker.cli.errors import Problem
from worker.jobs.store import Records, connect
from worker.operations.create import Creator
from worker.operations.staging import Staging
from worker.operations.validation import Checks
from worker.settings import Making, MakingJobs
from worker.storage import Storage


def checks_of(settings: Making) -> Checks:
    """The checks of orders typed at this machine; nothing is connected."""

    @cache
    def storage() -> Storage:
        try:
            return Storage.existing(settings.storage_url)
        except ValueError as error:
            raise Problem(f"{error}.") from None

    return Checks(
        catalogue=Catalogue.load(settings.catalogue),
        staging=Staging(storage=storage, directory=Path.cwd(), anywhere=True),
    )


def creator_of(settings: MakingJobs) -> Creator:
    """A creator of jobs, Redis surely reachable."""
    logs.configure(level="WARNING", form=settings.log_format)
    records = Records(connect(settings.redis_url))
    records.redis.ping()
    return Creator(records=records, checks=checks_of(settings), wake=waker(client(settings)))
