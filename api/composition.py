"""The objects of one API process, built once from its settings."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache

from celery import Celery
from redis import Redis
from redis import asyncio as aio
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from starlette.routing import Route

from api.console.composition import ConsoleParts, console_routes
from api.console.pages.live import changed
from api.console.redrive_runner import RedriveRunner
from api.creation import Creation
from api.dispatch import Dispatcher
from api.events.fan_out import FanOut
from api.events.follower import Batch, Follower
from api.events.frames import job_event
from api.events.sse import EventStreams
from api.events.stored_cursors import StoredCursors
from api.group_commit import GroupCommit
from api.job_finder import JobFinder
from api.metrics import ApiMetrics
from api.openapi.document import openapi
from api.operation import Operation
from api.published_names import PublishedNames
from api.quick_creation import QuickCreation
from api.rate_limits import RateLimits
from api.request_threads import RequestThreads
from api.routes import (
    batch,
    deliveries,
    docs,
    endpoints,
    events,
    files,
    health,
    jobs,
    keys,
    models,
    scale,
    stats,
    uploads,
)
from webhook.contract import Task
from webhook.redis.address import RedisAddress, RedisKind
from webhook.redis.clients import async_client
from worker.api_keys.cached_keys import CachedKeys
from worker.api_keys.store import ApiKeys
from worker.broker.client import client, waker
from worker.broker.wake_thread import WakeThread
from worker.catalogue.catalogue import Catalogue
from worker.fal.client import FalClient
from worker.jobs.store import LOST_WAKE_AFTER, JobStore, connect
from worker.notifications.endpoints import Endpoints
from worker.notifications.history import Histories
from worker.notifications.outbox import LANES, Bell
from worker.notifications.routes import KnownRoutes
from worker.notifications.target import TargetRules
from worker.operations.create import JobCreator
from worker.operations.redrive import Redrives
from worker.operations.retry import Retry as JobRetry
from worker.operations.staging import Staging
from worker.operations.validation import Validator
from worker.retention.archive import Archive
from worker.settings.api import ApiSettings
from worker.storage import Storage

# Requests that block at the same time; each waits for Redis most of its time.
_THREADS = 32
# How a caller passes a file.
_UPLOADS = "upload it with POST /v1/uploads and pass its upload:// address"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What the routes and the lifespan of the application use."""

    dispatcher: Dispatcher
    operations: Sequence[Operation]
    # The pages of the console.
    pages: Sequence[Route]
    # Events as clients of the API get them, and as the console does.
    changes: FanOut
    shown: FanOut
    redis: Redis
    redrives: Redrives
    wakes: WakeThread
    # Of the commits of creations; None in a cluster.
    commits: aio.Redis | None
    metrics: ApiMetrics

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow the events of all jobs, and wake those that are created, inside the block."""
        loop = asyncio.get_running_loop()
        follower = Follower(
            self.redis,
            lambda batch: loop.call_soon_threadsafe(self._publish, batch),
            lambda: self.changes.is_wanted or self.shown.is_wanted,
        )
        runner = RedriveRunner(self.redrives)
        follower.start()
        runner.start()
        self.wakes.start()
        watch = asyncio.create_task(self.metrics.watch())
        try:
            yield
        finally:
            watch.cancel()
            self.changes.end()
            self.shown.end()
            await asyncio.to_thread(follower.stop)
            await asyncio.to_thread(runner.stop)
            await asyncio.to_thread(self.wakes.stop)
            if self.commits is not None:
                await self.commits.aclose()

    def _publish(self, batch: Batch) -> None:
        self.changes.publish(batch)
        self.shown.publish(batch)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What several routes share."""

    store: JobStore
    catalogue: Catalogue
    storage: Callable[[], Storage]
    creation: Creation
    quick: QuickCreation
    threads: RequestThreads
    commits: aio.Redis | None
    finder: JobFinder
    retry: JobRetry
    fal: FalClient
    files: files.Files
    uploads: uploads.Uploads
    redrives: Redrives
    limits: RateLimits
    keys: ApiKeys
    celery: Celery
    wakes: WakeThread
    changes: FanOut
    shown: FanOut
    endpoints: Endpoints
    wake_notifier: Callable[[], object]


def compose(settings: ApiSettings) -> Tools:
    """Return the objects of one process; connections are opened when they are first used."""
    parts = _parts(settings)
    described: list[Operation] = [*_of_jobs(settings, parts), *_of_others(parts)]
    described += docs.operations(docs.Docs(document=lambda: openapi(described)))
    return Tools(
        dispatcher=Dispatcher(
            keys=CachedKeys(parts.keys), limits=parts.limits, threads=parts.threads
        ),
        operations=described,
        pages=console_routes(_of_console(parts)),
        changes=parts.changes,
        shown=parts.shown,
        redrives=parts.redrives,
        redis=parts.store.redis,
        wakes=parts.wakes,
        commits=parts.commits,
        metrics=ApiMetrics(),
    )


def _parts(settings: ApiSettings) -> _Parts:
    redis = connect(settings.redis_url)
    celery = client(settings)
    wakes = WakeThread(celery, lost_after=LOST_WAKE_AFTER)
    # Not by the thread, which sends no message twice within seconds: each of these counts.
    wake_notifier = waker(celery)
    store = JobStore(redis, owed=Bell(redis, wake_notifier))
    catalogue = Catalogue.load(settings.catalogue)

    @cache
    def storage() -> Storage:
        return Storage.existing(settings.storage_url)

    archive = Archive(redis=store.redis, storage=storage)
    staging = Staging(storage=storage, directory=None, advice=_UPLOADS, check_uploads=True)
    routes = KnownRoutes(redis)
    creator = JobCreator(
        store=store,
        validator=Validator(catalogue=catalogue, staging=staging, targets=TargetRules.of(settings)),
        wake=wakes,
        event_metadata=settings.event_metadata_names,
        archived=archive.get,
        routes=routes.now,
        traces=bool(settings.traces_url),
    )
    creation = Creation(creator=creator)
    commits, threads = _commits(settings.redis_url), RequestThreads(_THREADS)
    finder = JobFinder(store=store, archived=archive.get)
    published = PublishedNames(storage=storage)
    retry = JobRetry(store=store, catalogue=lambda: catalogue)
    return _Parts(
        store=store,
        catalogue=catalogue,
        storage=storage,
        creation=creation,
        quick=QuickCreation(
            creation=creation,
            commits=GroupCommit(commits) if commits is not None else None,
            threads=threads,
            is_fresh=lambda: routes.is_known and store.earlier.is_gone,
            refresh=lambda: (routes.now(), store.earlier.exists()),
        ),
        threads=threads,
        commits=commits,
        finder=finder,
        retry=retry,
        redrives=Redrives(store.redis, retry),
        uploads=uploads.Uploads(
            catalogue=catalogue, staging=staging, max_bytes=settings.api_upload_max_bytes
        ),
        fal=FalClient(settings.fal_key.get_secret_value()),
        files=files.Files(finder=finder, published=published, storage=storage),
        limits=RateLimits(
            store.redis, create=settings.api_create_rate, read=settings.api_read_rate
        ),
        keys=ApiKeys(store.redis, settings.secrets),
        celery=celery,
        wakes=wakes,
        changes=FanOut(job_event),
        shown=FanOut(changed),
        endpoints=Endpoints(redis, settings.secrets, rules=TargetRules.of(settings)),
        wake_notifier=lambda: wake_notifier(Task.NOTIFY, LANES),
    )


def _commits(redis_url: str) -> aio.Redis | None:
    """Return the client of the commits; None for a cluster, none of whose servers has all keys."""
    address = RedisAddress.parse(redis_url)
    if address.kind is RedisKind.CLUSTER:
        return None
    # A retry: an idle connection may have been cut.
    return async_client(
        address,
        socket_timeout=4,
        socket_connect_timeout=2,
        health_check_interval=5,
        retry=Retry(ConstantBackoff(0.1), 1),
    )


def _of_console(parts: _Parts) -> ConsoleParts:
    return ConsoleParts(
        store=parts.store,
        catalogue=parts.catalogue,
        storage=parts.storage,
        finder=parts.finder,
        retry=parts.retry,
        fal=parts.fal,
        files=parts.files,
        limits=parts.limits,
        keys=parts.keys,
        changes=parts.shown,
        creation=parts.creation,
        uploads=parts.uploads,
        redrives=parts.redrives,
        celery=parts.celery,
    )


def _of_jobs(settings: ApiSettings, parts: _Parts) -> Iterator[Operation]:
    """Yield the operations that create, read and continue jobs, and those of their inputs."""
    yield from jobs.operations(
        jobs.Jobs(
            store=parts.store,
            creation=parts.quick,
            finder=parts.finder,
            retry=parts.retry,
            fal=parts.fal,
            changes=parts.changes,
            require_key=settings.api_require_key,
        )
    )
    yield from batch.operations(
        batch.Batch(store=parts.store, creation=parts.creation, limits=parts.limits)
    )
    yield from uploads.operations(parts.uploads)


def _of_others(parts: _Parts) -> Iterator[Operation]:
    """Yield the operations on what jobs have made, and on everything else."""
    yield from files.operations(parts.files)
    redis = parts.store.redis
    yield from events.operations(
        events.Events(
            redis=redis,
            streams=EventStreams(parts.changes, redis, jobs_url="/v1/jobs"),
            cursors=StoredCursors(redis),
            finder=parts.finder,
        )
    )
    yield from models.operations(models.Models(catalogue=parts.catalogue))
    yield from stats.operations(stats.Stats(store=parts.store))
    yield from scale.operations(scale.Scale(store=parts.store))
    histories = Histories(redis, parts.endpoints, clock=parts.store.clock)
    wake = parts.wake_notifier
    yield from endpoints.operations(
        endpoints.Endpoints(store=parts.endpoints, histories=histories, wake=wake)
    )
    yield from deliveries.operations(
        deliveries.Deliveries(
            endpoints=parts.endpoints, histories=histories, finder=parts.finder, wake=wake
        )
    )
    yield from keys.operations(keys.Keys(keys=parts.keys))
    yield from health.operations(health.Health(redis=redis, celery=parts.celery))
