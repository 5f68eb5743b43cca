"""Lists of jobs over all shards: a page costs one round trip for ids and one for records."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import cast

from redis import Redis

from webhook.shards import all_keys
from worker.jobs import earlier_layout
from worker.jobs.filter import Filter, fields_of, read_fields
from worker.jobs.job import Job, JobState
from worker.jobs.places import NO_ID, Place, decode, encode, indexes, places
from worker.jobs.store import NAMED, job_key
from worker.jobs.tenant import DEFAULT
from worker.text import shorten

# Jobs of one page, where the caller does not say.
PAGE = 100
# Jobs that a filtered page looks at before it ends without more, and those it looks at together.
EXAMINED = 2_000
_TOGETHER = 500
_LONGEST_SHOWN = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Ids of jobs, the newest first; `cursor` leads to the next page, "" after the last one."""

    ids: Sequence[str]
    cursor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FilteredPage:
    """Matching jobs, the newest first; `cursor` leads to the next page, "" after the last one."""

    jobs: Sequence[Job]
    cursor: str


def page(
    redis: Redis,
    *,
    state: JobState | None = None,
    since: float = 0.0,
    cursor: str = "",
    limit: int = PAGE,
    tenant: str | None = None,
) -> Page:
    """Return a page of all jobs by creation, or of those in `state` by when they entered it.

    `since` is the earliest such time in Unix seconds. A job that moves between two pages is listed
    once at most, and the others keep their places. With a `tenant` only its jobs are listed; a page
    of the default tenant takes another round trip, and may be shorter than `limit` and still have
    a cursor. Raises ValueError for an unknown cursor.
    """
    before = decode(cursor) if cursor else None
    if cursor and before is None:
        raise _unknown(cursor)
    listed = places(redis, indexes(state, tenant), limit=limit, before=before, since=since)
    ids = [job_id for _, job_id in listed]
    if tenant == DEFAULT:
        own = Filter(tenant=tenant)
        ids = [job_id for job_id, fields in read_fields(redis, ids).items() if own.owns(fields)]
    return Page(ids=ids, cursor=encode(listed[-1]) if len(listed) >= limit else "")


def filtered_page(
    redis: Redis,
    *,
    tenant: str,
    state: JobState | None = None,
    endpoint: str | None = None,
    metadata: Mapping[str, str] = MappingProxyType({}),
    cursor: str = "",
    limit: int = PAGE,
) -> FilteredPage:
    """Return jobs of a tenant that match, ordered and stable like those of `page`.

    It looks at EXAMINED jobs or little more, so it may have fewer than `limit` jobs, even none, and
    a cursor all the same. The cursor never has the id of another tenant's job. Raises ValueError
    for an unknown one.
    """
    wanted = Filter(tenant=tenant, state=state, endpoint=endpoint, metadata=metadata)
    return _Search(redis=redis, wanted=wanted, limit=limit).run(_opened(cursor))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """One filtered page: the jobs found, the places examined, and the ids that its cursor may have.

    Of most records only the fields of the filter are read.
    """

    redis: Redis
    wanted: Filter
    limit: int
    jobs: list[Job] = field(default_factory=list)
    examined: list[Place] = field(default_factory=list)
    own: set[str] = field(default_factory=set)

    def run(self, before: Place | None) -> FilteredPage:
        """Return the page that begins after this place."""
        names = indexes(self.wanted.state, self.wanted.tenant)
        while len(self.jobs) < self.limit:
            together = _TOGETHER if self.examined else self.limit
            seen = places(self.redis, names, limit=together, before=before)
            if self._examine(seen) and len(seen) < together:
                return FilteredPage(jobs=self.jobs, cursor="")
            before = self.examined[-1]
            if len(self.examined) >= EXAMINED and (stop := self._stop()):
                return FilteredPage(jobs=self.jobs, cursor=_sealed(stop))
        return FilteredPage(jobs=self.jobs, cursor=_sealed(self._stop() or self.examined[-1]))

    def _examine(self, seen: Sequence[Place]) -> bool:
        """Add the jobs of these places; return whether it came to their end."""
        ids = [job_id for _, job_id in seen]
        if self.examined or self.wanted.is_narrow:
            read_first = read_fields(self.redis, ids)
            self.own.update(each for each in read_first if self.wanted.owns(read_first[each]))
            ids = [each for each in read_first if self.wanted.accepts(read_first[each])]
        chosen = ids[: self.limit - len(self.jobs)]
        for job in read(self.redis, chosen):
            fields = fields_of(job)
            if self.wanted.owns(fields):
                self.own.add(job.id)
            # It may have moved since it was listed.
            if self.wanted.accepts(fields):
                self.jobs.append(job)
        last = chosen[-1] if len(chosen) < len(ids) else None
        self.examined.extend(_until(seen, last))
        return last is None

    def _stop(self) -> Place | None:
        """Return the last place for a cursor; None if all examined jobs are others' of one time."""
        later: float | None = None
        for time, job_id in reversed(self.examined):
            if job_id in self.own:
                return time, job_id
            if later is not None and later < time:
                return time, NO_ID
            later = time
        return None


def _until(seen: Sequence[Place], last: str | None) -> Iterator[Place]:
    for place in seen:
        yield place
        if place[1] == last:
            return


def _sealed(place: Place) -> str:
    return urlsafe_b64encode(encode(place).encode()).decode().rstrip("=")


def _opened(cursor: str) -> Place | None:
    if not cursor:
        return None
    try:
        text = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode()
    except ValueError:
        text = ""
    place = decode(text)
    if place is None or _sealed(place) != cursor:
        raise _unknown(cursor)
    return place


def _unknown(cursor: str) -> ValueError:
    return ValueError(f"{shorten(cursor, _LONGEST_SHOWN)!r} is not a cursor that a list returned")


def read(redis: Redis, job_ids: Sequence[str]) -> Sequence[Job]:
    """Return those of the jobs that have a record, in this order, in one round trip."""
    records = _records(redis, map(job_key, job_ids))
    if not all(records):
        earlier = _records(redis, map(earlier_layout.job_key, job_ids))
        records = [record or old for record, old in zip(records, earlier, strict=True)]
    return [Job.decode(record) for record in records if record]


def _records(redis: Redis, keys: Iterable[str]) -> list[dict[str, str]]:
    with redis.pipeline(transaction=False) as calls:
        for key in keys:
            calls.hgetall(key)
        return cast(list[dict[str, str]], calls.execute())


def newest(
    redis: Redis,
    *,
    state: JobState | None = None,
    since: float = 0.0,
    limit: int | None = None,
    tenant: str | None = None,
) -> Iterator[Job]:
    """Yield the jobs of `page`, page by page, at most `limit`."""
    cursor, left = "", limit
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        found = page(redis, state=state, since=since, cursor=cursor, limit=size, tenant=tenant)
        yield from read(redis, found.ids)
        cursor = found.cursor
        if not cursor:
            return
        left = None if left is None else left - len(found.ids)


def has_jobs(redis: Redis) -> bool:
    """Return whether there is a job."""
    with redis.pipeline(transaction=False) as calls:
        for name in indexes(None):
            calls.exists(name)
        return any(calls.execute())


def count(
    redis: Redis, states: Iterable[JobState], tenant: str | None = None
) -> Mapping[JobState, int]:
    """Return how many jobs are in each of these states: all of them, or those of the tenant."""
    wanted = list(states)
    others = all_keys(NAMED) if tenant == DEFAULT else ()
    with redis.pipeline(transaction=False) as calls:
        for state in wanted:
            for name in indexes(state, tenant):
                calls.zcard(name)
            for name in others:
                calls.hget(name, state)
        numbers = iter(int(each or 0) for each in cast(list[int | str | None], calls.execute()))
    counts = {}
    for state in wanted:
        found = sum(next(numbers) for _ in indexes(state, tenant))
        # A job may move between the two answers of its shard.
        counts[state] = max(0, found - sum(next(numbers) for _ in others))
    return counts
