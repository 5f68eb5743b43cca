"""What the API says of itself: requests by route, connections, its loop; not at its own port."""

from pathlib import Path

import httpx

from api.metrics import ApiMetrics
from tests.bench.programs import free_port
from tests.factories.apis import api, api_environment
from tests.factories.exposition import samples, value
from tests.faults.waiting import until
from worker.metrics.page import as_text

NAME = "falhook_http_request_seconds_count"


def test_requests_count_by_route(redis_url: str, tmp_path: Path) -> None:
    """By the template of the path, never by the path, and by the class of the status."""
    port = str(free_port())
    environ = api_environment(redis_url, tmp_path)
    with api(environ, FALHOOK_PROCESS_METRICS_PORT=port) as running:
        client = running.client()
        for path in ("/v1/jobs/one", "/v1/jobs/two", "/v1/stats", "/nowhere", "/console/nowhere"):
            client.get(path)
        client.request("PROPFIND", "/v1/jobs")
        page = httpx.get(f"http://127.0.0.1:{port}/metrics")
        found = samples(page.text)
        assert 2 == value(found, NAME, method="GET", route="/v1/jobs/{id}", status="4xx")
        assert 1 == value(found, NAME, method="GET", route="/v1/stats", status="2xx")
        assert 1 == value(found, NAME, method="other", route="/v1/jobs", status="4xx")
        assert {"one", "two", "nowhere"}.isdisjoint(page.text.replace("/", " ").split())
        assert 1 == value(found, "falhook_open_connections")
        assert b"process_resident_memory_bytes" in page.content
        assert 404 == client.get("/metrics").status_code

        def lag() -> float:
            page = httpx.get(f"http://127.0.0.1:{port}/metrics")
            return value(samples(page.text), "falhook_loop_lag_seconds_count") or 0

        until(lambda: lag() > 1, "the loop was looked at", 30)


def test_without_a_port_there_is_no_page() -> None:
    """What was counted is there all the same, at first nothing."""
    found = samples(as_text(ApiMetrics().collect))
    assert 0 == value(found, "falhook_open_connections")
    assert 0 == value(found, "falhook_loop_lag_seconds_count")
