"""The console in a real browser, on the whole stack with a simulated fal."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests import ROOT
from tests.api.console.stacks import Console, console, submitted
from tests.factories.chromium import PATIENCE, chromium
from tests.factories.failed_jobs import add_failed
from tests.faults.waiting import until
from worker.jobs.failures import failure_groups
from worker.jobs.store import JobStore, connect
from worker.transcode.profiles import PROFILE_KEY

pytestmark = pytest.mark.timeout(600)
SECONDS = PATIENCE / 1000
BROKEN = "A paper boat [[sim: error-platform]]"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """One stack and one browser for all tests."""
    expect.set_options(timeout=PATIENCE)
    with chromium() as browser, console(tmp_path_factory.mktemp("stack"), browser) as running:
        yield running


@pytest.fixture
def page(place: Console) -> Iterator[Page]:
    """A page of somebody who is signed in."""
    context = place.person()
    yield context.new_page()
    context.close()
    # No page asks another server, and no script fails.
    assert {place.url.split("/")[2]} == place.hosts
    assert [] == place.errors


def plays(page: Page) -> bool:
    """Start the clip of a page; return whether its time goes on."""
    video = page.locator("video")
    video.evaluate("video => { video.muted = true; return video.play(); }")
    until(lambda: video.evaluate("video => video.currentTime") > 0.2, "the clip plays", SECONDS)
    return True


def test_a_job_from_the_form_to_the_clip(place: Console, page: Page) -> None:
    """Submit it, watch it finish without a reload, and play what it made."""
    submitted(page, "A red fox crosses fresh snow at dawn")
    page.evaluate("window.stayed = true")
    expect(page.locator(".state.good")).to_be_visible()
    assert plays(page)
    assert page.evaluate("window.stayed")
    expect(page.locator("[data-part=files]")).to_contain_text("video.mp4")
    expect(page.locator("[data-storyboard]")).to_be_visible()


def test_a_clip_plays_from_its_ladder(place: Console, page: Page) -> None:
    """The page plays the HLS playlist where the browser can, and the file where it cannot."""
    job_id = place.create("A river in the fog", **{PROFILE_KEY: "web+360p+hls"})
    page.goto(f"/console/jobs/{job_id}")
    page.get_by_role("link", name="Play as HLS").click()
    page.wait_for_url("**?play=hls")
    video = page.locator("video")
    able = video.evaluate("video => video.canPlayType('application/vnd.apple.mpegurl')")
    assert plays(page)
    source = str(video.evaluate("video => video.currentSrc"))
    assert source.endswith(".m3u8" if able else ".mp4"), (able, source)


def test_a_failed_job_is_rendered_again(place: Console, page: Page) -> None:
    """The form says what it costs; two clicks are one attempt, and the reason is kept."""
    page.goto(f"/console/jobs/{place.create(BROKEN)}")
    expect(page.locator(".state.bad")).to_be_visible()
    page.get_by_label("Reason").fill("another try")
    page.get_by_role("button", name="Render again for").dblclick()
    expect(page.locator(".said")).to_contain_text("another try")
    expect(page.locator("[data-part=attempts] tbody tr")).to_have_count(2)


def is_api(process: psutil.Process) -> bool:
    """Return whether this is the API's process."""
    return process.cmdline()[-2:] == ["-m", "api"]


def test_rows_change_where_they_are(place: Console, page: Page) -> None:
    """A new job comes while nobody reads; under the reader's hand a button says so instead."""
    place.create("The first one")
    page.goto("/console/jobs")
    first = place.create("A kite above the dunes")
    row = page.locator(f"tr[data-job='{first}']")
    expect(row.locator(".state.good")).to_be_visible()
    page.locator("tbody tr").first.hover()
    second = place.create("A lantern on a lake")
    pill = page.locator("#news")
    expect(pill).to_have_text("1 new")
    expect(page.locator(f"tr[data-job='{second}']")).to_have_count(0)
    pill.click()
    expect(page.locator("tbody tr").first).to_have_attribute("data-job", second)


def test_rows_that_wait_for_a_reader_are_bounded(place: Console, page: Page) -> None:
    """However many jobs come while somebody reads, the page keeps those that it can show."""
    place.create("The first one")
    page.goto("/console/jobs")
    page.locator("tbody tr").first.hover()
    page.evaluate(
        """const fetched = document.implementation.createHTMLDocument();
        for (let number = 0; number < 150; number++) {
          const row = fetched.createElement("tr");
          Object.assign(row.dataset, {job: `many-${number}`, wanted: ""});
          fetched.body.append(row);
        }
        merge(fetched);"""
    )
    expect(page.locator("#news")).to_have_text("100 or more new")


def test_a_restart_of_the_api_is_survived(place: Console, page: Page) -> None:
    """A page says that it is out of date, and catches up without a reload."""
    page.goto("/console/jobs")
    live = page.locator("#live")
    expect(live).to_have_text("Live")
    page.evaluate("window.stayed = true")
    [process] = [each for each in psutil.Process().children(recursive=True) if is_api(each)]
    process.kill()
    job_id = ""

    def create() -> bool:
        nonlocal job_id
        try:
            job_id = place.create("After the restart")
        except httpx.TransportError:
            return False
        return True

    until(create, "the API is back", SECONDS)
    expect(page.locator(f"tr[data-job='{job_id}'] .state.good")).to_be_visible()
    assert page.evaluate("window.stayed")


def test_an_offline_browser_says_so(place: Console) -> None:
    """Without a connection a page says how old it is and offers no action; then it catches up."""
    context = place.person()
    page = context.new_page()
    page.goto("/console/jobs")
    expect(page.locator("#live")).to_have_text("Live")
    context.set_offline(True)
    page.evaluate("pulse()")
    expect(page.locator("#live")).to_contain_text("Reconnecting; this is")
    expect(page.locator("body.stale")).to_have_count(1)
    job_id = place.create("While nobody was there")
    context.set_offline(False)
    page.evaluate("pulse()")
    expect(page.locator(f"tr[data-job='{job_id}']")).to_be_visible()
    expect(page.locator("body.stale")).to_have_count(0)
    context.close()


def test_a_session_that_ended_meanwhile(place: Console, page: Page) -> None:
    """An action does nothing and leads back after signing in; a list says it on its own."""
    job_id = place.create(BROKEN)
    page.goto(f"/console/jobs/{job_id}")
    expect(page.locator(".state.bad")).to_be_visible()
    page.context.clear_cookies()
    page.get_by_label("Reason").fill("too late")
    # A key press: a pointer finds the button inert once the page has noticed.
    page.get_by_role("button", name="Render again for").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("nothing was done")
    page.get_by_label("API key").fill(place.stack.settings["FALHOOK_API_KEY"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**/console/jobs/{job_id}")
    page.goto("/console/jobs")
    page.context.clear_cookies()
    page.evaluate("pulse()")
    expect(page.locator("#live")).to_contain_text("Signed out")


def test_a_group_of_two_hundred_is_continued(place: Console, page: Page) -> None:
    """Nothing is sent to fal, and every one of them goes on."""
    with connect(place.stack.settings["REDIS_URL"]) as redis:
        store = JobStore(redis)
        for number in range(200):
            add_failed(store, f"group-{number}", reason="storage_full")
        page.goto("/console/failures")
        page.get_by_role("link", name="storage_full").click()
        expect(page.get_by_text("200 go on from what is stored")).to_be_visible()
        page.get_by_label("Reason").fill("more disk")
        page.get_by_role("button", name="Continue the group").click()
        expect(page.get_by_role("heading", name="Done")).to_be_visible()
        expect(page.locator("main")).to_contain_text("200 without a payment")
        reasons = {group.reason for group in failure_groups(redis, "default")}
        posts = {job.attempt for number in range(200) if (job := store.get(f"group-{number}"))}
    assert "storage_full" not in reasons
    assert {1} == posts


def test_six_tabs_at_once_still_answer(place: Console) -> None:
    """Six tabs share one stream, so that a browser has connections left for a click."""
    context = place.person()
    tabs = [context.new_page() for _ in range(6)]
    for tab in tabs:
        tab.goto("/console/jobs")
    for tab in tabs:
        expect(tab.locator("#live")).to_have_text("Live")
    job_id = place.create("Six tabs")
    for tab in tabs:
        expect(tab.locator(f"tr[data-job='{job_id}']")).to_be_visible()
    tabs[3].get_by_role("link", name="Workers").click()
    expect(tabs[3].get_by_role("heading", name="Workers")).to_be_visible()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_anybody_out(place: Console, scheme: str) -> None:
    """axe finds nothing serious on any page, in both schemes."""
    job_id = place.create(BROKEN)
    context = place.person(color_scheme=scheme)
    page = context.new_page()
    paths = ("", "/jobs", f"/jobs/{job_id}", "/failures", "/spend", "/workers", "/new")
    for path in (*paths, "/new?endpoint=fal-ai/kling-video/v2.1/pro/image-to-video"):
        page.goto(f"/console{path}")
        found = Axe().run(page).response["violations"]
        serious = [each for each in found if each["impact"] in {"serious", "critical"}]
        assert [] == [(path, each["id"], each["nodes"][0]["html"][:200]) for each in serious]
    context.close()


def test_the_keyboard_reaches_everything(place: Console, page: Page) -> None:
    """The first stop skips to the content, and a job opens with Enter."""
    job_id = place.create("By keyboard")
    page.goto("/console/jobs")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to content")
    page.locator(f"tr[data-job='{job_id}'] .what a").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/console/jobs/{job_id}")


def test_it_works_without_scripts(place: Console) -> None:
    """Forms, links and pages need none."""
    context = place.person(java_script_enabled=False)
    page = context.new_page()
    job_id = submitted(page, "Without a script")
    expect(page.get_by_role("status")).to_have_text("The job is created.")
    page.goto("/console/jobs?state=PUBLISHED")
    page.get_by_label("State").select_option("")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator(f"tr[data-job='{job_id}']")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/console/login")
    context.close()


def test_two_operators_at_one_job(place: Console) -> None:
    """Who comes second reads that nothing was done."""
    job_id = "two-operators"
    with connect(place.stack.settings["REDIS_URL"]) as redis:
        add_failed(JobStore(redis), job_id, rendered=False)
    contexts = [place.person(), place.person()]
    pages = [context.new_page() for context in contexts]
    for page in pages:
        page.goto(f"/console/jobs/{job_id}")
        expect(page.locator(".state.bad")).to_be_visible()
        page.get_by_label("Reason").fill("mine")
    for page in pages:
        page.get_by_role("button", name="Render again for").click()
    expect(pages[0].locator(".notice")).to_contain_text("The job continues")
    expect(pages[1].locator(".notice")).to_contain_text("othing was done")
    for context in contexts:
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pictures_of_the_readme(place: Console, tmp_path: Path, scheme: str) -> None:
    """Both schemes in small files; with FALHOOK_PICTURES=1 they replace those in docs/."""
    folder = ROOT / "docs" if os.environ.get("FALHOOK_PICTURES") == "1" else tmp_path
    job_id = place.create("A red fox crosses fresh snow at dawn")
    context = place.person(color_scheme=scheme, viewport={"width": 1200, "height": 800})
    page = context.new_page()
    page.goto(f"/console/jobs/{job_id}")
    expect(page.locator(".state.good")).to_be_visible()
    assert plays(page)
    page.locator("video").evaluate("video => video.pause()")
    picture = folder / f"console-{scheme}.jpg"
    page.screenshot(path=picture, type="jpeg", quality=82)
    context.close()
    assert 10_000 < picture.stat().st_size <= 150_000
