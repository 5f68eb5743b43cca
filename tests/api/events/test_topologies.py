"""Events of a cluster and of a primary behind sentinels."""

from contextlib import ExitStack
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from api.events.entries import kept, newest, settled
from api.events.pages import read_page
from api.events.positions import Cursor
from api.events.selection import Selection
from api.events.stored_cursors import StoredCursors
from tests.api.events.following import following
from tests.factories.redis_servers import primary, replica, sentinels
from tests.factories.redis_urls import deployment, sentinel_url
from tests.faults.waiting import until
from worker.jobs.change import Change
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore, connect

ALL = Selection(tenant="default")


def add(store: JobStore, job_id: str) -> None:
    """Add a job, whose event every replica has then."""
    store.add(Job(id=job_id, endpoint="fal-ai/x", arguments={}), due=0, event={"name": job_id})


@pytest.mark.parametrize("kind", ["cluster", "sentinels"])
def test_events_are_followed_and_read_in_pages(tmp_path: Path, kind: str) -> None:
    """Each once, in whichever node its stream is; and cursors are stored."""
    jobs = [f"job{number}" for number in range(60)]
    with deployment(kind, tmp_path) as url, connect(url) as redis, connect(url) as own:
        store, cursors = JobStore(redis), StoredCursors(redis)
        begin = cursors.get("default", "billing")
        with following(own) as follow:
            for job_id in jobs:
                add(store, job_id)
            live = follow.names(len(jobs))
        paged: list[str] = []
        after, gap = settled(Cursor(begin.positions), kept(redis))
        more = True
        while more:
            page = read_page(redis, after, wanted=ALL.has, limit=7)
            paged += [entry.event["name"] for entry in page.entries]
            after, more = page.after, page.more
        moved = cursors.acknowledge("default", "billing", Cursor(after))
        assert (jobs, jobs, False, newest(kept(redis))) == (
            sorted(live, key=jobs.index),
            sorted(paged, key=jobs.index),
            gap,
            moved.positions.joined(after),
        )


def test_no_event_is_lost_when_a_replica_is_elected(tmp_path: Path) -> None:
    """The follower goes on with the new primary, and hands on each event once."""
    with ExitStack() as running:
        first = running.enter_context(primary(tmp_path / "primary"))
        running.enter_context(replica(tmp_path / "replica", first))
        watchers = running.enter_context(sentinels(tmp_path, first))
        url = sentinel_url(watchers)
        store = JobStore(running.enter_context(connect(url)))
        follow = running.enter_context(following(running.enter_context(connect(url))))
        add(store, "before")
        assert ["before"] == follow.names(1)
        first.kill()

        def changed() -> bool:
            change = Change(event={"name": "after"})
            try:
                return store.change("before", JobState, change)
            except RedisError:
                return False

        until(changed, "a replica was elected", 60)
        assert ["after"] == follow.names(1)
