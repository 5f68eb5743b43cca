"""Operations of the API on a real HTTP server in this process, with keys in a real Redis."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from api.dispatch import Dispatcher
from api.operation import Operation
from api.rate_limits import RateLimits
from api.request_threads import RequestThreads
from webhook.server.config import configuration
from webhook.server.http_protocol import HttpLimits
from webhook.server.sockets import listen
from worker.api_keys.cached_keys import CachedKeys
from worker.api_keys.scopes import USUAL, Scope
from worker.api_keys.store import ApiKeys
from worker.jobs.store import connect

SECRET = "a-secret-of-the-tests-0123456789"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedRoutes:
    """A running server, and the keys that it accepts."""

    port: int
    keys: ApiKeys
    clients: list[httpx.Client] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def headers(
        self, tenant: str = "default", scopes: frozenset[Scope] = USUAL
    ) -> Mapping[str, str]:
        """Return the header with a new key."""
        token = self.keys.add("test", tenant=tenant, scopes=scopes)[1]
        return {"Authorization": f"Bearer {token.text}"}

    def client(self, tenant: str = "default", scopes: frozenset[Scope] = USUAL) -> httpx.Client:
        """Return a client with a new key, which is closed with the server."""
        headers = self.headers(tenant, scopes)
        client = httpx.Client(base_url=self.url, headers=headers, timeout=60)
        self.clients.append(client)
        return client


@contextmanager
def served(
    operations: Sequence[Operation], redis_url: str, limits: HttpLimits | None = None
) -> Iterator[ServedRoutes]:
    """Serve these operations until the block ends."""
    redis = connect(redis_url)
    keys = ApiKeys(redis, (SECRET,))
    threads = RequestThreads(4)
    dispatcher = Dispatcher(keys=CachedKeys(keys), limits=RateLimits(redis), threads=threads)
    app = Starlette(
        routes=[
            Route(operation.path, dispatcher.endpoint(operation), methods=[operation.method])
            for operation in operations
        ]
    )
    app.router.redirect_slashes = False
    listeners = listen("127.0.0.1", 0)
    server = uvicorn.Server(configuration(app, limits or HttpLimits()))
    thread = threading.Thread(target=server.run, args=(listeners,))
    thread.start()
    running = ServedRoutes(port=listeners[0].getsockname()[1], keys=keys)
    try:
        yield running
    finally:
        for client in running.clients:
            client.close()
        server.should_exit = True
        thread.join(30)
        redis.close()
