"""What this process of the API does, for Prometheus: requests, connections, the loop."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client.core import Metric
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from worker.metrics.manifest import Family, manifest
from worker.metrics.times import Times

_OTHER = "other"
# Seconds: bounds of the times of requests and of the loop, and between two looks at the loop.
_REQUEST = (0.005, 0.025, 0.1, 0.5, 2.5, 10)
_LAG = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5)
_EVERY = 0.25


class ApiMetrics:
    """Counts in the thread of the loop; `collect` may be called in another.

    `connections` returns how many are open.
    """

    def __init__(self) -> None:
        self.connections: Callable[[], int] = lambda: 0
        self._paths: Mapping[int, str] = {}
        self._methods = manifest()["falhook_http_request_seconds"].labels["method"] or frozenset()
        self._requests: dict[tuple[str, str, int], Times] = {}
        self._lag = Times(_LAG)

    def name(self, routes: Iterable[Route]) -> None:
        """Have requests to these routes count by their paths."""
        self._paths = {id(route.endpoint): route.path for route in routes}

    def counted(self, app: ASGIApp) -> ASGIApp:
        """Return the application, whose requests count when their answers begin."""

        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            began = time.perf_counter()

            async def counting(message: Message) -> None:
                if message["type"] == "http.response.start":
                    self._count(scope, message["status"], time.perf_counter() - began)
                await send(message)

            await app(scope, receive, counting)

        return call

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in self._methods else _OTHER
        path = self._paths.get(id(scope.get("endpoint")), _OTHER)
        key = (method, path, status // 100)
        times = self._requests.get(key)
        if times is None:
            times = self._requests[key] = Times(_REQUEST)
        times.add(seconds)

    async def watch(self) -> None:
        """Measure how late the loop is, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _EVERY
            await asyncio.sleep(_EVERY)
            self._lag.add(max(0.0, loop.time() - due))

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        requests, lag = Family("falhook_http_request_seconds"), Family("falhook_loop_lag_seconds")
        for (method, route, status), times in sorted(self._requests.copy().items()):
            requests.add_times(times, method=method, route=route, status=f"{status}xx")
        lag.add_times(self._lag)
        opened = Family("falhook_open_connections")
        opened.add(self.connections())
        yield from (requests.metric, lag.metric, opened.metric)
