"""Creates the jobs of requests in one round trip to Redis, which those of a moment share.

Most requests are valid, and need nothing but a record. What is in doubt is left to `Creation`, in a
thread: a request that may be invalid, a file, a job that may be in the archive, callbacks that wait
for it, an id that another request has.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib import resources
from typing import Any

from redis.exceptions import RedisError

from api.creation import Creation, unknown
from api.group_commit import Answer, GroupCommit
from api.idempotency import digest_of, is_repeated, job_id_of
from api.models.creation import JobCreation, Trial
from api.operation import Count
from api.request_threads import RequestThreads
from webhook.contract import inbox_key
from webhook.redis.replicas import Argument
from worker.jobs.job import Job, new_job_id
from worker.jobs.store import ARCHIVING, Known, NewRecord, job_key
from worker.operations.create import UNCONFIRMED, Created
from worker.operations.request import DraftJob
from worker.storage import Storage

# Requests that are remembered as answered, and the keys of a script that stores no record.
_REMEMBERED = 10_000
_NONE = ("",) * 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A request for a job."""

    given: JobCreation
    tenant: str
    key: str | None
    count: Count
    traceparent: str | None = None


class QuickCreation:
    """Creates jobs in the event loop; `threads` carry out what has to wait.

    `is_fresh` returns whether nothing but the job's own record has to be read, and `refresh` reads
    the rest. Without `commits`, as in a cluster, `creation` does everything.
    """

    def __init__(
        self,
        *,
        creation: Creation,
        commits: GroupCommit | None,
        threads: RequestThreads,
        is_fresh: Callable[[], bool],
        refresh: Callable[[], object],
    ) -> None:
        self._creation = creation
        self._commits = commits
        self._threads = threads
        self._is_fresh = is_fresh
        self._refresh = refresh
        validator = creation.creator.validator
        staging = replace(validator.staging, storage=_not_here)
        creator = replace(creation.creator, validator=replace(validator, staging=staging))
        self._here = replace(creation, creator=creator)
        # Job → digest of the request that was answered with it, the oldest first.
        self._answered: OrderedDict[str, str] = OrderedDict()

    async def create(self, wanted: Wanted) -> Created | Trial:
        """Count the request, and return its job as `Creation.create` does."""
        if self._commits is None or wanted.given.dry_run:
            return await self._by_thread(wanted, wanted.count)
        if not self._is_fresh():
            await self._threads.run(self._refresh)
        given, key = wanted.given, wanted.key
        job_id = new_job_id() if key is None else job_id_of(wanted.tenant, key)
        sent = digest_of(given, job_id)
        answered = self._answered.get(job_id) == sent
        draft = None if answered or not self._is_fresh() else self._draft(wanted, job_id, sent)
        if draft is None and not answered:
            return await self._by_thread(wanted, wanted.count)
        try:
            if draft is None:
                return await self._repeated(wanted, job_id, sent)
            return await self._new(wanted, draft, sent)
        except RedisError as error:
            raise unknown(job_id, key) from error

    async def _repeated(self, wanted: Wanted, job_id: str, sent: str) -> Created | Trial:
        """Return the job that this process has answered the same request with."""
        assert self._commits is not None, "a cluster's requests are answered by threads"
        nothing = NewRecord(script="", keys=(job_key(job_id), *_NONE), order="", created_at=0.0)
        answer = await self._commits.run(_command(nothing, job_id, wanted.count))
        counted, *found = _list(answer.value)
        wanted.count.settle(counted)
        job = Job.decode(_record(found[1])) if found else None
        if job is None or not is_repeated(job, sent):
            return await self._by_thread(wanted, None)
        _require_confirmed(job, answer)
        return self._creation.creator.stored(job, new=False)

    async def _new(self, wanted: Wanted, draft: DraftJob, sent: str) -> Created | Trial:
        assert self._commits is not None, "a cluster's requests are answered by threads"
        record = self._creation.creator.new_record(draft.job)
        answer = await self._commits.run(_command(record, draft.job.id, wanted.count))
        return await self._settled(wanted, draft, record, sent, answer)

    def _draft(self, wanted: Wanted, job_id: str, sent: str) -> DraftJob | None:
        """Return the job that the request wants; None if a thread has to find what it is."""
        try:
            draft = self._here.draft(wanted.given, wanted.tenant, job_id, wanted.traceparent, sent)
            job = self._here.creator.prepared(draft.job)
        except Exception:  # noqa: BLE001  # the thread raises it again, or knows better
            return None
        return None if draft.staged.files else replace(draft, job=job)

    async def _settled(
        self, wanted: Wanted, draft: DraftJob, record: NewRecord, sent: str, answer: Answer
    ) -> Created | Trial:
        counted, *found = _list(answer.value)
        wanted.count.settle(counted)
        word, *rest = found
        if word == b"ask":
            archiving, callbacks = map(bool, rest)
            known = Known(job=None, archiving=archiving, callbacks=callbacks)
            return await self._threads.run(partial(self._creation.add, draft, known))
        made = word == b"made"
        job = Job.decode(_record(_list(rest[0])[3] if made else rest[0]))
        # The answer to the first of two tries was lost, or it did not wait for a replica.
        made = made or job.created_at == record.created_at
        if not (made or is_repeated(job, sent)):
            return await self._by_thread(wanted, None)
        _require_confirmed(job, answer)
        self._remember(job.id, sent)
        if made and _list(rest[0])[2] == 1:
            await self._threads.run(partial(self._creation.creator.store.owed, job.id))
        return self._creation.creator.stored(job, new=made)

    def _remember(self, job_id: str, sent: str) -> None:
        self._answered[job_id] = sent
        if len(self._answered) > _REMEMBERED:
            self._answered.popitem(last=False)

    async def _by_thread(self, wanted: Wanted, count: Count | None) -> Created | Trial:
        return await self._threads.run(
            partial(
                self._creation.create,
                wanted.given,
                tenant=wanted.tenant,
                key=wanted.key,
                count=count,
                traceparent=wanted.traceparent,
            )
        )


def _require_confirmed(job: Job, answer: Answer) -> None:
    """Return if no election can undo the job. Raises the RedisError of the answer."""
    if answer.unconfirmed and job.state in UNCONFIRMED:
        raise answer.unconfirmed


def _not_here() -> Storage:
    raise RuntimeError("the storage is not read in the event loop")


def _command(record: NewRecord, job_id: str, count: Count) -> Sequence[Argument]:
    _, script, _, limit, *args = count.command
    keys = [*record.keys, ARCHIVING, inbox_key(job_id), str(limit)]
    text = _script(str(script), record.script)
    return ("EVAL", text, len(keys), *keys, record.order, job_id, *args)


@cache
def _script(count: str, store: str) -> bytes:
    text = resources.files("api").joinpath("quick_creation.lua").read_text()
    lines = (line for line in text.splitlines() if not line.startswith("--"))
    return "\n".join(lines).replace("@count@", count).replace("@store@", store).encode()


def _list(answer: Any) -> list[Any]:
    assert isinstance(answer, list)
    return answer


def _record(fields: Any) -> Mapping[str, str]:
    texts = [each.decode() for each in fields]
    return dict(zip(texts[::2], texts[1::2], strict=True))
