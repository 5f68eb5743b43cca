"""The console in Chromium: `python -m tests.bench.console [--jobs 1000000] [--failed 200000]`.

One API process on a durable Redis. Measured are the first paint of the list with ten thousand jobs
and with many, the page of failures, the time from an event to its row, what a page weighs, the heap
of a page that follows 50 events a second (an hour, compressed to `--seconds`), and a click while
six tabs are open. Prints the figures and writes them into bench.json under `console.*`.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

from playwright.sync_api import BrowserContext, Page
from redis import Redis

from tests.bench.console_jobs import add_published, preload_failed
from tests.bench.figures import Bars, report
from tests.bench.preload import preload, template
from tests.bench.programs import redis_with
from tests.factories.apis import RunningApi, api, api_environment, request
from tests.factories.chromium import PATIENCE, chromium
from worker.jobs.store import JobStore, connect

BARS = Bars(
    most={
        "console.first_paint_few_ms": 1000.0,
        "console.first_paint_ratio": 1.3,
        "console.failures_ms": 500.0,
        "console.event_to_row_p99_ms": 1000.0,
        "console.weight_kb": 150.0,
        "console.heap_ratio": 1.2,
        "console.click_with_six_tabs_ms": 300.0,
    }
)
_FEW = 10_000
_LOOKS = 15
_RATE = 50
# When each row appeared, in Unix milliseconds.
_SEEN = """window.seen = {};
new MutationObserver(changes => changes.forEach(change => change.addedNodes.forEach(row => {
  if (row.dataset && row.dataset.job) window.seen[row.dataset.job] = Date.now();
}))).observe(document.querySelector("[data-rows]"), {childList: true});"""
_PAINT = """new Promise(done => new PerformanceObserver(list => list.getEntries().forEach(entry =>
  entry.name === "first-contentful-paint" && done(entry.startTime))
).observe({type: "paint", buffered: true}))"""
# When the reader clicked last, in Unix milliseconds, kept for the next page.
_CLICKED = """addEventListener("click", () => {
  sessionStorage.clicked = performance.timeOrigin + performance.now();
}, true);"""
# What the browser has kept counts too, and the worker, whose requests a page does not see.
_WEIGHT = """fetch(document.body.dataset.worker).then(answer => answer.blob()).then(worker =>
  [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .reduce((sum, one) => sum + one.encodedBodySize + 300, worker.size))"""


def main() -> int:
    """Run the benchmark. Return 0 if all bars were reached, 1 if not."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.console")
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--failed", type=int, default=200_000)
    parser.add_argument("--seconds", type=int, default=120)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="falhook-console-") as scratch:
        figures = dict(_figures(Path(scratch), options))
    return report("console.", figures, BARS)


def _figures(scratch: Path, options: argparse.Namespace) -> Iterator[tuple[str, float]]:
    with _running(scratch) as (running, url, context), Redis.from_url(url) as raw:
        page = context.new_page()
        yield from _live(running, page, options.seconds)
        yield "console.click_with_six_tabs_ms", _click(context)
        with connect(url) as redis:
            add_published(JobStore(redis))
            record = template(raw)
            paints, loaded = {}, 0
            for name, count in (("few", _FEW), ("many", options.jobs)):
                preload(raw, record, count - loaded, now=time.time())
                loaded = count
                paints[name] = _paint(page, "/console/jobs")
                yield f"console.first_paint_{name}_ms", paints[name]
                yield f"console.board_{name}_ms", _paint(page, "/console")
            yield "console.first_paint_ratio", paints["many"] / paints["few"]
            preload_failed(JobStore(redis), raw, options.failed)
            yield "console.failures_ms", _paint(page, "/console/failures")


@contextmanager
def _running(directory: Path) -> Iterator[tuple[RunningApi, str, BrowserContext]]:
    with redis_with(directory, "everysec") as redis:
        environ = api_environment(redis.url, directory) | {"FALHOOK_LOG_LEVEL": "INFO"}
        with api(environ) as running, chromium() as browser:
            context = browser.new_context(base_url=running.url)
            context.set_default_timeout(PATIENCE)
            page = context.new_page()
            page.goto("/console/login")
            page.get_by_label("API key").fill(running.token())
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url("**/console")
            page.close()
            yield running, redis.url, context


def _live(running: RunningApi, page: Page, seconds: int) -> Iterator[tuple[str, float]]:
    """Yield how soon rows appear, what the page weighs, and how its heap grows."""
    client = running.client()
    page.goto("/console/jobs")
    page.locator("#live", has_text="Live").wait_for()
    yield "console.weight_kb", float(page.evaluate(_WEIGHT)) / 1000
    page.evaluate(_SEEN)
    sent = {}
    for _ in range(100):
        began = time.time()
        sent[client.post("/v1/jobs", json=request()).json()["id"]] = began * 1000
        page.wait_for_timeout(100)
    page.wait_for_timeout(3_000)
    seen: Mapping[str, float] = page.evaluate("window.seen")
    assert set(sent) <= set(seen), "every job got its row"
    steps = quantiles([seen[job_id] - at for job_id, at in sent.items()], n=100)
    yield "console.event_to_row_p50_ms", steps[49]
    yield "console.event_to_row_p99_ms", steps[98]
    # What was noted above must not count as the page's.
    page.reload()
    page.locator("#live", has_text="Live").wait_for()
    before = _heap(page)
    for number in range(seconds * _RATE):
        began = time.monotonic()
        client.post("/v1/jobs", json=request())
        if number % _RATE == 0:
            page.wait_for_timeout(10)
        time.sleep(max(0.0, 1 / _RATE - (time.monotonic() - began)))
    page.wait_for_timeout(3_000)
    yield "console.heap_ratio", _heap(page) / before
    page.goto("about:blank")


def _heap(page: Page) -> float:
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    metrics: Sequence[Mapping[str, float]] = session.send("Performance.getMetrics")["metrics"]
    return next(one["value"] for one in metrics if str(one["name"]) == "JSHeapUsedSize")


def _click(context: BrowserContext) -> float:
    """Return the milliseconds from a click to the next page's first paint, with six tabs open.

    Each tab is in front when it is clicked: a browser draws those behind it once a second.
    """
    tabs = [context.new_page() for _ in range(6)]
    for tab in tabs:
        tab.add_init_script(_CLICKED)
        tab.goto("/console/jobs")
        tab.locator("#live", has_text="Live").wait_for()
    took = []
    for tab in tabs:
        tab.bring_to_front()
        tab.get_by_role("link", name="Spend").click()
        tab.get_by_role("heading", name="Spend").wait_for()
        painted = float(tab.evaluate(f"{_PAINT}.then(at => performance.timeOrigin + at)"))
        took.append(painted - float(tab.evaluate("sessionStorage.clicked")))
    for tab in tabs:
        tab.close()
    return median(took)


def _paint(page: Page, path: str) -> float:
    """Return the median of the first contentful paints of a page, in milliseconds."""
    times = []
    for _ in range(_LOOKS):
        page.goto(path)
        times.append(float(page.evaluate(_PAINT)))
    return median(times[2:])


if __name__ == "__main__":
    sys.exit(main())
