"""The simulated fal, assembled from its parts."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from starlette.requests import Request

from infra.local.fal.callbacks.delivery import Deliveries
from infra.local.fal.callbacks.signing import KeyRing
from infra.local.fal.cdn.files import Files
from infra.local.fal.cdn.outputs import Outputs
from infra.local.fal.cdn.uploads import UploadStore
from infra.local.fal.clock import Clock
from infra.local.fal.media.clips import Media
from infra.local.fal.models import KLING_APPS
from infra.local.fal.prices import PriceList
from infra.local.fal.queue import RenderQueue
from infra.local.fal.render import Renders
from infra.local.fal.request_counts import Counts
from infra.local.fal.tls import Certificates


def new_key() -> str:
    """Return a random API key in fal's format, ``id:secret``."""
    return f"sim-{secrets.token_hex(8)}:{secrets.token_hex(16)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The only account of the simulated fal, with its apps and limits."""

    key: str
    user_id: str
    apps: frozenset[str] = KLING_APPS
    concurrency: int = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The durations of the simulation, in seconds of fal's time.

    `timeouts` are real seconds: of the first callback, and of each retry.
    """

    speed: float = 1.0
    render_seconds: float = 6.0
    timeouts: tuple[float, float] = (15.0, 120.0)


@dataclass(slots=True, kw_only=True)
class Simulator:
    """The state that the routes use; `url` is the origin, without a trailing slash."""

    url: str
    account: Account
    keys: KeyRing
    counts: Counts
    files: Files
    queue: RenderQueue
    uploads: UploadStore
    prices: PriceList = field(default_factory=PriceList)
    jwks_status: int = field(default=200)

    async def reset(self) -> None:
        """Forget jobs, counts, uploads and changed prices; serve the keys, which stay the same."""
        await self.queue.clear()
        self.counts.clear()
        self.uploads.clear()
        self.prices.clear()
        self.jwks_status = 200


def simulation_of(request: Request) -> Simulator:
    """Return the simulation that serves the request."""
    simulation: Simulator = request.app.state.simulation
    return simulation


@asynccontextmanager
async def simulate(
    *,
    url: str,
    directory: Path,
    cache: Path,
    account: Account,
    timing: Timing,
    certificates: Certificates,
) -> AsyncIterator[Simulator]:
    """Run a simulation in the current event loop; its deliveries end with the block."""
    counts, keys, clock = Counts(), KeyRing(), Clock(speed=timing.speed)
    files = Files(url=url, counts=counts)
    outputs = Outputs(media=Media(cache), files=files, directory=directory / "altered")
    renders = Renders(
        clock=clock,
        counts=counts,
        outputs=outputs,
        seconds=timing.render_seconds,
        slots=asyncio.Semaphore(account.concurrency),
    )
    queue = RenderQueue(clock=clock, counts=counts, renders=renders)
    simulation = Simulator(
        url=url,
        account=account,
        keys=keys,
        counts=counts,
        files=files,
        queue=queue,
        uploads=UploadStore(url=url, key=account.key),
    )
    async with _client(certificates, timing) as client:
        queue.deliveries = _deliveries(simulation, client, clock, timing)
        try:
            yield simulation
        finally:
            await queue.clear()


def _deliveries(
    simulation: Simulator, client: httpx.AsyncClient, clock: Clock, timing: Timing
) -> Deliveries:
    return Deliveries(
        client=client,
        keys=simulation.keys,
        clock=clock,
        counts=simulation.counts,
        user_id=simulation.account.user_id,
        timeouts=timing.timeouts,
        stored=simulation.queue.stored,
    )


def _client(certificates: Certificates, timing: Timing) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        verify=certificates.client(),
        trust_env=False,
        timeout=max(timing.timeouts),  # Deliveries sets the timeout of each delivery
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=50),
    )
