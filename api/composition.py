"""The objects of one API process, built once from its settings."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache

from redis import Redis

from api.creation import Creation
from api.dispatch import Dispatcher
from api.events.fan_out import FanOut
from api.events.follower import Follower
from api.events.frames import job_event
from api.events.sse import EventStreams
from api.events.stored_cursors import StoredCursors
from api.job_finder import JobFinder
from api.operation import Operation
from api.published_names import PublishedNames
from api.rate_limits import RateLimits
from api.routes import batch, events, files, health, jobs, keys, models, stats, uploads
from worker.api_keys.cached_keys import CachedKeys
from worker.api_keys.store import ApiKeys
from worker.broker.client import client, waker
from worker.catalogue.catalogue import Catalogue
from worker.fal.client import FalClient
from worker.jobs.store import JobStore, connect
from worker.operations.create import JobCreator
from worker.operations.retry import Retry
from worker.operations.staging import Staging
from worker.operations.validation import Validator
from worker.retention.archive import Archive
from worker.settings.api import ApiSettings
from worker.storage import Storage

# How a caller passes a file.
_UPLOADS = "upload it with POST /v1/uploads and pass its upload:// address"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What the routes and the lifespan of the application use."""

    dispatcher: Dispatcher
    operations: Sequence[Operation]
    changes: FanOut
    redis: Redis

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow the events of all jobs inside the block."""
        loop = asyncio.get_running_loop()
        publish = self.changes.publish
        follower = Follower(self.redis, lambda batch: loop.call_soon_threadsafe(publish, batch))
        follower.start()
        try:
            yield
        finally:
            self.changes.end()
            await asyncio.to_thread(follower.stop)


def compose(settings: ApiSettings) -> Tools:
    """Return the objects of one process; connections are opened when they are first used."""
    store = JobStore(connect(settings.redis_url))
    catalogue = Catalogue.load(settings.catalogue)
    celery = client(settings)

    @cache
    def storage() -> Storage:
        return Storage.existing(settings.storage_url)

    changes = FanOut(job_event)
    archive = Archive(redis=store.redis, storage=storage)
    staging = Staging(
        storage=storage,
        directory=None,
        advice=_UPLOADS,
        check_uploads=True,
    )
    creator = JobCreator(
        store=store,
        validator=Validator(catalogue=catalogue, staging=staging),
        wake=waker(celery),
        event_metadata=settings.event_metadata_names,
        archived=archive.get,
    )
    creation = Creation(creator=creator)
    finder = JobFinder(store=store, archived=archive.get)
    limits = RateLimits(store.redis, create=settings.api_create_rate, read=settings.api_read_rate)
    api_keys = ApiKeys(store.redis, settings.secrets)
    return Tools(
        dispatcher=Dispatcher(keys=CachedKeys(api_keys), limits=limits),
        operations=(
            *jobs.operations(
                jobs.Jobs(
                    store=store,
                    creation=creation,
                    finder=finder,
                    retry=Retry(store=store, catalogue=lambda: catalogue),
                    fal=FalClient(settings.fal_key.get_secret_value()),
                    changes=changes,
                    require_key=settings.api_require_key,
                )
            ),
            *batch.operations(batch.Batch(store=store, creation=creation, limits=limits)),
            *files.operations(
                files.Files(
                    finder=finder, published=PublishedNames(storage=storage), storage=storage
                )
            ),
            *uploads.operations(
                uploads.Uploads(
                    catalogue=catalogue,
                    staging=staging,
                    max_bytes=settings.api_upload_max_bytes,
                )
            ),
            *events.operations(
                events.Events(
                    redis=store.redis,
                    streams=EventStreams(changes, store.redis, jobs_url="/v1/jobs"),
                    cursors=StoredCursors(store.redis),
                    finder=finder,
                )
            ),
            *models.operations(models.Models(catalogue=catalogue)),
            *stats.operations(stats.Stats(store=store)),
            *keys.operations(keys.Keys(keys=api_keys)),
            *health.operations(health.Health(redis=store.redis, celery=celery)),
        ),
        changes=changes,
        redis=store.redis,
    )
