"""Lists of a tenant's jobs that meet conditions, at a bounded price for each page."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from redis import Redis

from worker.jobs.filter import Filter, fields_of, read_fields
from worker.jobs.job import Job, JobState
from worker.jobs.listing import PAGE, read
from worker.jobs.places import NO_ID, Place, decode, encode, indexes, places, unknown

# Jobs that a page looks at before it ends without more, and those it looks at together.
EXAMINED = 2_000
_TOGETHER = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class FilteredPage:
    """Matching jobs, the newest first; `cursor` leads to the next page, "" after the last one."""

    jobs: Sequence[Job]
    cursor: str


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
        raise unknown(cursor)
    return place
