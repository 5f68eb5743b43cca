"""The pages, without a script: what they show, and of whom."""

import httpx
import pytest

from tests.factories.apis import ENDPOINT, RunningApi, request
from tests.factories.consoles import Visitor, visitor
from worker.api_keys.scopes import Scope
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore, connect

HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script>\u202egnp.exe\x07{{ 7*7 }}'


@pytest.fixture
def somebody(running: RunningApi) -> Visitor:
    """A visitor of a tenant of their own."""
    return visitor(running, "pages")


@pytest.fixture
def client(running: RunningApi) -> httpx.Client:
    """A program of the same tenant."""
    return running.client("pages")


def created(client: httpx.Client, **changes: object) -> str:
    """Create a job; return its id."""
    answer = client.post("/v1/jobs", json=request(**changes))
    assert 201 == answer.status_code, answer.text
    return str(answer.json()["id"])


def test_an_empty_list_says_what_to_do_next(running: RunningApi) -> None:
    """Whoever may create a job is led to it; others are told who may."""
    creator = visitor(running, "nobody")
    viewer = visitor(running, "nobody", frozenset({Scope.READ}))
    assert 'href="/console/new">Create the first one' in creator.page("/console/jobs")
    page = viewer.page("/console/jobs")
    assert "jobs:create" in page
    assert "/console/new" not in page
    for path in ("/console", "/console/failures", "/console/spend"):
        assert 'class="empty"' in creator.page(path)


def test_the_list_has_the_jobs_of_the_tenant_alone(
    running: RunningApi, somebody: Visitor, client: httpx.Client
) -> None:
    """Another tenant's job is neither listed nor found."""
    own, other = created(client), created(running.client("other-pages"))
    page = somebody.page("/console/jobs")
    assert (True, False) == (own in page, other in page)
    somebody.page(f"/console/jobs/{own}")
    assert "does not exist" in somebody.page(f"/console/jobs/{other}", 404)
    rows = somebody.page(f"/console/jobs/rows?ids={own},{other}")
    assert (True, False) == (own in rows, other in rows)


def test_filters_are_in_the_address(somebody: Visitor, client: httpx.Client) -> None:
    """State, endpoint and metadata narrow the list, and the next page keeps them."""
    found = [created(client, metadata={"order": "4711"}) for _ in range(51)]
    other = created(client)
    page = somebody.page("/console/jobs?state=QUEUED&name=order&value=4711")
    assert other not in page
    [more] = [line for line in page.splitlines() if 'rel="next"' in line]
    address = more.split('href="')[1].split('"')[0].replace("&amp;", "&")
    assert "metadata.order=4711" in address
    assert found[0] in somebody.page(f"/console/jobs{address}")
    assert "No job matches" in somebody.page("/console/jobs?state=PUBLISHED")
    assert found[3] in somebody.page(f"/console/jobs?endpoint={ENDPOINT}")
    somebody.page("/console/jobs?cursor=nonsense", 400)


def test_an_id_opens_its_job(somebody: Visitor) -> None:
    """The field for an id leads to the job's page."""
    answer = somebody.http.get("/console/jobs?id= abc123 ")
    assert (303, "/console/jobs/abc123") == (answer.status_code, answer.headers["location"])


def test_hostile_text_is_text(running: RunningApi, somebody: Visitor, client: httpx.Client) -> None:
    """Markup, direction marks, control characters and 10 MB of a text stay what they are."""
    with connect(running.redis_url) as redis:
        store = JobStore(redis)
        job = Job(
            id="hostile",
            endpoint=ENDPOINT,
            tenant="pages",
            arguments={"prompt": HOSTILE, "long": "x" * 10_000_000, "lone": "\ud800"},
            metadata={HOSTILE: HOSTILE},
            state=JobState.FAILED,
            step="falhook.render",
            reason="odd",
            sentence=HOSTILE,
        )
        assert store.add(job, due=0, event={"name": "created", "sentence": HOSTILE})
    for path in ("/console/jobs", "/console/jobs/hostile", "/console", "/console/failures"):
        page = somebody.page(path)
        assert len(page) < 300_000
        assert "<img src=x" not in page
        assert "<script>alert" not in page
        assert "\u202e" not in page
        assert "\x07" not in page
    page = somebody.page("/console/jobs/hostile")
    assert all(text in page for text in ("&lt;script&gt;alert(2)", "gnp.exe", "{{ 7*7 }}"))


def test_pages_that_are_not_there(somebody: Visitor) -> None:
    """A group, a run, an endpoint and a file that do not exist have a page that says so."""
    for path in ("failures/000000000000", "redrives/0123456789abcdef", "new?endpoint=fal-ai/x"):
        somebody.page(f"/console/{path}", 422 if "new" in path else 404)
    somebody.page("/console/static/0/secrets.txt", 404)
    assert "no such page" in somebody.page("/console/elsewhere", 404)
    assert "/console" == somebody.http.get("/console/").headers["location"]


def test_static_files_are_kept_for_ever(somebody: Visitor) -> None:
    """Their addresses have a hash; another hash is kept by nobody."""
    page = somebody.page("/console")
    address = page.split('rel="stylesheet" href="')[1].split('"')[0]
    assert "immutable" in somebody.http.get(address).headers["cache-control"]
    other = address.replace(address.split("/")[3], "000000000000")
    assert "no-store" == somebody.http.get(other).headers["cache-control"]


def test_every_page_is_light(somebody: Visitor, client: httpx.Client) -> None:
    """The board with its style and scripts stays below 150 KB, without compression."""
    for _ in range(50):
        created(client)
    page = somebody.page("/console/jobs")
    files = {part.split('"')[0] for part in page.split('"') if part.startswith("/console/static/")}
    total = len(page) + sum(len(somebody.http.get(address).content) for address in files)
    assert total < 150_000


def test_workers_that_are_silent_are_said(somebody: Visitor) -> None:
    """Without a worker the page says what to start."""
    assert "No worker was heard" in somebody.page("/console/workers")
