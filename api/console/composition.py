"""The pages of one process, built once from what it shares with the API."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from celery import Celery
from starlette.routing import Route

from api.console import static_files
from api.console.gate import Gate
from api.console.pages import (
    actions,
    board,
    failures,
    job,
    job_list,
    live,
    new_job,
    sign_in,
    spend,
    workers,
)
from api.console.rendering import Renderer
from api.console.sessions import Sessions
from api.console.visit import Page
from api.creation import Creation
from api.events.fan_out import FanOut
from api.events.sse import EventStreams
from api.job_finder import JobFinder
from api.rate_limits import RateLimits
from api.routes.files import Files
from api.routes.uploads import Uploads
from worker.api_keys.store import ApiKeys
from worker.broker.heartbeats import workers_seen
from worker.broker.queue_length import queue_lengths
from worker.catalogue.catalogue import Catalogue
from worker.fal.client import FalClient
from worker.jobs.store import JobStore
from worker.operations.redrive import Redrives
from worker.operations.retry import Retry
from worker.storage import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleParts:
    """What the pages use; `changes` is a fan-out whose events are ids of jobs."""

    store: JobStore
    catalogue: Catalogue
    storage: Callable[[], Storage]
    finder: JobFinder
    retry: Retry
    fal: FalClient
    files: Files
    limits: RateLimits
    keys: ApiKeys
    changes: FanOut
    creation: Creation
    uploads: Uploads
    redrives: Redrives
    celery: Celery


def console_routes(parts: ConsoleParts) -> Sequence[Route]:
    """Return the routes of all pages."""
    renderer = Renderer(parts.storage, parts.store.clock)
    sessions = Sessions(parts.store.redis, parts.keys)
    gate = Gate(sessions=sessions, limits=parts.limits, renderer=renderer)
    return [gate.route(page) for page in _pages(parts, renderer, gate)]


def _pages(parts: ConsoleParts, renderer: Renderer, gate: Gate) -> Iterator[Page]:
    """Yield the pages in the order in which they must be routed."""
    redis = parts.store.redis
    yield from static_files.PAGES
    yield from sign_in.pages(
        sign_in.SignIn(keys=parts.keys, sessions=gate.sessions, renderer=renderer)
    )
    streams = EventStreams(parts.changes, redis, jobs_url="/console/jobs")
    yield from live.pages(live.Live(streams=streams, gate=gate, redis=redis))
    yield from job_list.pages(
        job_list.JobList(store=parts.store, catalogue=parts.catalogue, renderer=renderer)
    )
    one = job.JobPage(
        finder=parts.finder,
        retry=parts.retry,
        storage=parts.storage,
        files=parts.files,
        renderer=renderer,
    )
    yield from actions.pages(actions.JobActions(page=one, fal=parts.fal))
    yield from job.pages(one)
    yield from new_job.pages(
        new_job.NewJob(
            catalogue=parts.catalogue,
            creation=parts.creation,
            uploads=parts.uploads,
            renderer=renderer,
        )
    )
    yield from _of_all(parts, renderer)


def _of_all(parts: ConsoleParts, renderer: Renderer) -> Iterator[Page]:
    """Yield the pages about many jobs, and about the processes."""
    store, waiting = parts.store, queue_lengths(parts.celery)
    yield from failures.pages(
        failures.Failures(store=store, redrives=parts.redrives, renderer=renderer)
    )
    yield from spend.pages(spend.Spend(store=store, renderer=renderer))
    listener = workers.Listener(lambda: workers_seen(parts.celery))
    yield from workers.pages(
        workers.Workers(store=store, listener=listener, waiting=waiting, renderer=renderer)
    )
    yield from board.pages(
        board.Board(store=store, redrives=parts.redrives, waiting=waiting, renderer=renderer)
    )
