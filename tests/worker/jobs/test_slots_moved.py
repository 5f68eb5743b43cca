"""Slots of a real cluster move to another node while records change and callbacks arrive."""

import asyncio
import itertools
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from redis import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.crc import key_slot

from infra.local.redis.server import RedisServer
from tests.factories.redis_servers import cluster
from tests.factories.redis_urls import cluster_url
from tests.factories.world import ENDPOINT, callback
from tests.faults.waiting import until
from webhook.inbox import Inbox
from webhook.redis.address import RedisAddress
from webhook.redis.clients import async_client
from webhook.shards import SHARDS, shard_key
from worker.jobs.change import Change
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore, connect
from worker.steps.inbox import InboxReader

JOBS = [f"job{number}" for number in range(100)]
SLOTS = sorted({key_slot(shard_key(shard, "").encode()) for shard in range(SHARDS)})


@contextmanager
def changing(store: JobStore, changed: list[bool]) -> Iterator[None]:
    """Change one job after the other in another thread during the block."""
    over = threading.Event()

    def change() -> None:
        for number, job_id in enumerate(itertools.cycle(JOBS)):
            if over.is_set():
                return
            how = (store.change, store.change_confirmed)[number % 2]
            what = Change(set={"estimate": {"usd": str(number)}})
            changed.append(how(job_id, [JobState.QUEUED], what))

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def move_slots(source: RedisServer, target: RedisServer) -> None:
    """Move the slots of all records on `source`; return once they are on `target`."""
    with ExitStack() as block:
        old, new = (block.enter_context(Redis.from_url(each.url)) for each in (source, target))
        node: bytes = new.execute_command("CLUSTER MYID")
        held = [slot for slot in SLOTS if old.cluster("countkeysinslot", slot)]
        ranges = [each for slot in held for each in (slot, slot)]
        old.execute_command("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", *ranges, "NODE", node)
        until(lambda: old.dbsize() == 0, "the source is empty", 20)


async def receive(url: str, job_ids: list[str]) -> None:
    """Store a callback for each of the jobs, one after the other."""
    redis = async_client(RedisAddress.parse(url), retry=Retry(ConstantBackoff(0.1), 2))
    inbox = Inbox(redis, lambda _job_ids: None)
    running = asyncio.create_task(inbox.run())
    for job_id in job_ids:
        await inbox.put(job_id, callback())
    running.cancel()
    await redis.aclose()


@pytest.mark.timeout(120)
def test_slots_move_while_jobs_run(tmp_path: Path) -> None:
    """No change fails and no callback is refused while all records move to one node."""
    with cluster(tmp_path) as nodes, ExitStack() as block:
        url = cluster_url(nodes)
        store = JobStore(block.enter_context(connect(url)))
        for job_id in JOBS:
            job = Job(id=job_id, endpoint=ENDPOINT, arguments={})
            assert store.add(job, due=store.clock() + 60, event={"name": "created"})
        changed: list[bool] = []
        received = threading.Thread(target=lambda: asyncio.run(receive(url, JOBS)))
        with changing(store, changed):
            received.start()
            for source in nodes[1:]:
                move_slots(source, nodes[0])
            before = len(changed)
            until(lambda: len(changed) > before + 20, "records change on the new node", 20)
            received.join()
        assert changed.count(True) == len(changed)
        reader = InboxReader(block.enter_context(connect(url, decode_responses=False)))
        assert [[callback()]] * len(JOBS) == [list(reader.callbacks(job_id)) for job_id in JOBS]
        assert all(store.get(job_id) is not None for job_id in JOBS)
