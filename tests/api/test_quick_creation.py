"""Creations in one trip: what Redis is asked, what they share, and what a thread has to do."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial

import pytest
from redis import Redis
from redis import asyncio as aio
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import ResponseError

from api.creation import Creation
from api.group_commit import GroupCommit
from api.models.creation import JobCreation, Trial
from api.operation import Count, Rate
from api.problems import ProblemError
from api.quick_creation import QuickCreation, Wanted
from api.rate_limits import RateLimits
from api.request_threads import RequestThreads
from tests.factories.apis import request
from webhook.contract import inbox_key
from webhook.redis.address import RedisAddress
from webhook.redis.clients import async_client
from worker.catalogue.catalogue import Catalogue
from worker.catalogue.errors import UnknownEndpoint
from worker.jobs.job import Job
from worker.jobs.store import ARCHIVING, JobStore, connect
from worker.operations.create import Created, JobCreator
from worker.operations.staging import Staging
from worker.operations.validation import Validator
from worker.storage import Storage

pytestmark = pytest.mark.anyio


def no_storage() -> Storage:
    """No request here has a file."""
    raise AssertionError


class Creations:
    """Creations on a Redis; `archived` are the jobs of the archive."""

    def __init__(self, redis: Redis, commits: aio.Redis) -> None:
        self.store = JobStore(redis)
        self.archived: dict[str, Job] = {}
        self.woken: list[str] = []
        self.settle: Callable[[object], None] = lambda _answer: None
        self._limits = RateLimits(redis)
        creator = JobCreator(
            store=self.store,
            validator=Validator(
                catalogue=Catalogue.load(), staging=Staging(storage=no_storage, directory=None)
            ),
            wake=lambda _task, job_id: self.woken.append(job_id),
            archived=self.archived.get,
        )
        self.creation = Creation(creator=creator)
        self._quick = partial(
            QuickCreation,
            commits=GroupCommit(commits),
            threads=RequestThreads(2),
            is_fresh=lambda: self.store.earlier.is_gone,
            refresh=self.store.earlier.exists,
        )
        self.quick = self._quick(creation=self.creation)

    def withdraw(self) -> None:
        """Let fal withdraw every endpoint."""
        validator = replace(self.creation.creator.validator, catalogue=Catalogue([]))
        creator = replace(self.creation.creator, validator=validator)
        self.quick = self._quick(creation=Creation(creator=creator))

    async def create(self, key: str | None, **changes: object) -> Created | Trial:
        """Send a request for a job."""
        count = Count(self._limits.command("key1", Rate.CREATE), self.settle)
        given = JobCreation.model_validate(request(**changes))
        return await self.quick.create(Wanted(given=given, tenant="shop", key=key, count=count))

    async def job(self, key: str | None, **changes: object) -> Created:
        """Send a request for a job that is not a trial."""
        made = await self.create(key, **changes)
        assert isinstance(made, Created)
        return made


@pytest.fixture
async def creations(redis_url: str) -> AsyncIterator[Creations]:
    """Creations on an empty Redis."""
    retry = Retry(ConstantBackoff(0.05), 1)
    commits = async_client(RedisAddress.parse(redis_url), retry=retry, socket_timeout=5)
    with connect(redis_url) as redis:
        made = Creations(redis, commits)
        made.store.earlier.exists()
        yield made
        await commits.aclose()


def calls(redis: Redis) -> dict[str, int]:
    """Return how often each command was called, by clients and by scripts."""
    counted = redis.info("commandstats").items()
    return {name.removeprefix("cmdstat_"): int(entry["calls"]) for name, entry in counted}


def written(redis: Redis) -> int:
    """Return the bytes of the append-only file."""
    return int(redis.info("persistence")["aof_current_size"])


async def test_a_creation_is_one_trip_and_a_replay_writes_nothing(creations: Creations) -> None:
    """Both are one script and ROLE; a replay leaves the disk alone, and the job as it is."""
    redis = creations.store.redis
    await creations.job("warm")
    redis.config_resetstat()
    first = await creations.job("order-1")
    before = written(redis)
    again = await creations.job("order-1")
    counted = calls(redis)
    assert (2, 2) == (counted["eval"], counted["role"])
    assert before == written(redis)
    assert (True, False, first.job) == (first.new, again.new, again.job)
    assert first.job == creations.store.get(first.job.id)
    assert first.job.id in creations.woken


async def test_a_repeated_request_whose_job_is_gone_is_a_job_again(creations: Creations) -> None:
    """What a process remembers of its answers decides nothing: the record does."""
    first = await creations.job("order-1")
    creations.store.redis.flushall()
    again = await creations.job("order-1")
    assert (True, first.job.id) == (again.new, again.job.id)
    assert creations.store.get(first.job.id) == again.job
    with pytest.raises(ProblemError, match=r"differs in arguments\.prompt"):
        await creations.job("order-1", arguments={"prompt": "Another", "duration": "5"})


async def test_creations_of_a_moment_share_a_trip(creations: Creations) -> None:
    """Thirty at once are two trips, the first alone; of one key they are one job."""
    redis = creations.store.redis
    await creations.job("warm")
    redis.config_resetstat()
    made = await asyncio.gather(*(creations.job(f"order-{n % 10}") for n in range(30)))
    assert 10 == sum(each.new for each in made)
    assert 10 == len({each.job.id for each in made})
    assert calls(redis)["role"] <= 2


async def test_a_request_too_many_leaves_nothing(creations: Creations) -> None:
    """What the limit refuses is not stored, and its answer is nothing but the count."""

    def refuse(answer: object) -> None:
        assert isinstance(answer, list)
        assert 0 == answer[0]
        raise ProblemError("rate_limited", "one too many")

    redis = creations.store.redis
    RateLimits(redis).check("key1", Rate.CREATE, cost=10_000)
    creations.settle = refuse
    with pytest.raises(ProblemError, match="one too many"):
        await creations.create("order-1")
    assert not redis.keys("*:job:*")


async def test_what_was_carried_out_is_not_validated_again(creations: Creations) -> None:
    """A repeated request is answered also when its endpoint is no longer served; others are not."""
    first = await creations.job("order-1")
    creations.withdraw()
    assert first.job.id == (await creations.job("order-1")).job.id
    with pytest.raises(UnknownEndpoint):
        await creations.create("order-2")


async def test_another_request_with_the_key_is_refused(creations: Creations) -> None:
    """One that differs is refused with the names; one that is written differently is the job."""
    first = await creations.job("order-1")
    same = await creations.job("order-1", metadata={}, max_price="9")
    assert (first.job.id, False) == (same.job.id, same.new)
    with pytest.raises(ProblemError, match=r"differs in arguments\.prompt"):
        await creations.create("order-1", arguments={"prompt": "A cat", "duration": "5"})


async def test_a_trial_stores_nothing(creations: Creations) -> None:
    """A dry run answers what the job would be."""
    assert isinstance(await creations.create("order-1", dry_run=True), Trial)
    assert not creations.store.redis.keys("*:job:*")


async def test_the_archive_is_looked_up(creations: Creations) -> None:
    """Once records are archived, a key of an archived job is that job, and others are new."""
    first = await creations.job("order-1")
    redis = creations.store.redis
    redis.delete(*redis.keys("*:job:*"))
    redis.set(ARCHIVING, "1")
    creations.archived[first.job.id] = first.job
    again, other = await creations.job("order-1"), await creations.job("order-2")
    assert (first.job.id, False, True) == (again.job.id, again.new, other.new)
    assert (await creations.job(None)).new


async def test_callbacks_without_a_job_are_looked_at(creations: Creations) -> None:
    """An id with callbacks is left to what adopts them: none is readable, so the job is new."""
    first = await creations.job("order-1")
    redis = creations.store.redis
    redis.delete(*redis.keys("*:job:*"))
    redis.hset(inbox_key(first.job.id), "one", "unreadable")
    assert (await creations.job("order-1")).new


async def test_the_error_of_one_command_is_its_own(redis_url: str) -> None:
    """Those that were sent together with a command that fails have their answers."""
    retry = Retry(ConstantBackoff(0.05), 1)
    client = async_client(RedisAddress.parse(redis_url), retry=retry, socket_timeout=5)
    commits = GroupCommit(client)
    commands = [("ECHO", "first"), ("EVAL", "return redis.error_reply('ERR no')", 0), ("PING",)]
    first, wrong, last = await asyncio.gather(
        *(commits.run(command) for command in commands), return_exceptions=True
    )
    await client.aclose()
    assert isinstance(wrong, ResponseError)
    assert not isinstance(first, BaseException)
    assert not isinstance(last, BaseException)
    assert b"first" == first.value
