"""Groups of failures on their pages, and runs that the process of the API works on."""

import time

from tests.factories.apis import RunningApi
from tests.factories.consoles import visitor
from tests.factories.failed_jobs import add_failed
from worker.api_keys.scopes import Scope
from worker.jobs.job import JobState
from worker.jobs.listing import count
from worker.jobs.store import JobStore, connect


def test_a_group_is_continued_from_its_page(running: RunningApi) -> None:
    """The preview says what is free and what the rest costs; by default only the free ones go."""
    operator = visitor(running, "groups")
    with connect(running.redis_url) as redis:
        for number in range(30):
            add_failed(JobStore(redis), f"group-{number}", tenant="groups", rendered=number < 25)
        page = operator.page("/console/failures")
        assert "$35.00" in page
        group = page.split('href="/console/failures/')[1].split('"')[0]
        address = f"/console/failures/{group}"
        page = operator.page(address)
        assert "<strong>25</strong> go on" in page
        assert "about <strong>$7.00" in page
        assert 422 == operator.send(address, page=address, note="").status_code
        started = operator.send(address, page=address, note="more disk")
        run = started.headers["location"]
        until = time.monotonic() + 60
        while ">Done<" not in operator.page(run):
            assert time.monotonic() < until
        assert "25 without a payment" in operator.page(run)
        numbers = count(redis, [JobState.RENDERED, JobState.FAILED], tenant="groups")
    assert {JobState.RENDERED: 25, JobState.FAILED: 5} == numbers


def test_others_do_not_see_them(running: RunningApi) -> None:
    """Another tenant has neither the group nor the run; a viewer has no form."""
    with connect(running.redis_url) as redis:
        add_failed(JobStore(redis), "seen-by-few", tenant="few")
    viewer = visitor(running, "few", frozenset({Scope.READ}))
    group = viewer.page("/console/failures").split('href="/console/failures/')[1].split('"')[0]
    assert "Continue the group" not in viewer.page(f"/console/failures/{group}")
    assert 403 == viewer.send(f"/console/failures/{group}", note="x").status_code
    visitor(running, "many").page(f"/console/failures/{group}", 404)


def test_spend_is_shown_by_tenant_to_admins_alone(running: RunningApi) -> None:
    """Others see their own day and endpoints."""
    with connect(running.redis_url) as redis:
        add_failed(JobStore(redis), "spent", tenant="spender")
    assert "$1.40" in visitor(running, "spender").page("/console/spend?days=7")
    assert "spender" in visitor(running, "boss", frozenset({Scope.ADMIN})).page("/console/spend")
    assert "has rendered nothing" in visitor(running, "thrifty").page("/console/spend")
