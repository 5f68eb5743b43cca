"""Events of jobs, appended by the same script that changes their records.

Each has `id`, `at` (Unix seconds), `name`, `from` and `to` (equal if the state did not change),
and fields that depend on the name: `step`, `reason`, `sentence`, `attempt`, `fraction` and others,
all text. `job` is the older name of `id`. A change of state has `metadata`, if
FALHOOK_EVENT_METADATA names some; a publication has `manifest` and `files`, a JSON list of
addresses. docs/usage.md documents the stream.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias, cast

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.typing import KeyT, StreamIdT

from worker.jobs.change import Event
from worker.jobs.store import EVENTS, history_key

# XREAD blocks for this long at a time, in milliseconds: below the client's socket timeout.
BLOCK = 1_000

_From: TypeAlias = dict[KeyT, StreamIdT]
_Streams: TypeAlias = list[tuple[str, list[tuple[str, Event]]]]


def history(redis: Redis, job_id: str) -> Sequence[Event]:
    """Return every event of the job, the oldest first."""
    entries = cast(list[tuple[str, Event]], redis.xrange(history_key(job_id)))
    return [event for _, event in entries]


def last_events(redis: Redis, job_ids: Sequence[str]) -> Mapping[str, Event]:
    """Return the newest event of each of these jobs, in one round trip."""
    with redis.pipeline(transaction=False) as calls:
        for job_id in job_ids:
            calls.xrevrange(history_key(job_id), count=1)
        answers = cast(list[list[tuple[str, Event]]], calls.execute())
    return {
        job_id: entries[0][1] for job_id, entries in zip(job_ids, answers, strict=True) if entries
    }


def present(redis: Redis, job_id: str) -> tuple[str, Sequence[Event]]:
    """Return the events since the job was created or last continued, and the newest one's id.

    What came before is past: a job that failed and was continued has not failed. Pass the id to
    `follow`, so that no event is missing between the two.
    """
    entries = cast(list[tuple[str, Event]], redis.xrange(history_key(job_id)))
    began = max(
        (at for at, (_, event) in enumerate(entries) if event["name"] in {"created", "replayed"}),
        default=0,
    )
    return (entries[-1][0] if entries else "0"), [event for _, event in entries[began:]]


def follow(
    redis: Redis,
    job_ids: Sequence[str] = (),
    *,
    since: str | Mapping[str, str] = "$",
    patience: float = 0.0,
    away: Callable[[Exception], object] = lambda _error: None,
) -> Iterator[Event | None]:
    """Yield events of some jobs or of all as they arrive.

    `since` is "0" for all from the start, "$" for those to come, or for each job the id of the
    entry after which it is followed.

    Yields None if nothing arrived for BLOCK, so that the reader can draw, look up or stop. If
    Redis becomes unavailable, `away` is called once, and after `patience` seconds its error is
    raised; if Redis is back before, no event is missing.
    """
    streams = [history_key(job_id) for job_id in job_ids] or [EVENTS]
    last = dict(zip(streams, _starts(redis, job_ids, streams, since), strict=True))
    lost: float | None = None
    while True:
        try:
            answer = cast(_Streams, redis.xread(cast(_From, last), block=BLOCK, count=100))
        except (RedisConnectionError, RedisTimeoutError) as error:
            if lost is None:
                lost = time.monotonic()
                away(error)
            if time.monotonic() - lost >= patience:
                raise
            time.sleep(BLOCK / 1000)
            continue
        lost = None
        if not answer:
            yield None
        for entry, stream, event in _in_order(answer):
            last[stream] = entry
            yield event


def _starts(
    redis: Redis, job_ids: Sequence[str], streams: Sequence[str], since: str | Mapping[str, str]
) -> Sequence[str]:
    """Return the id of the entry after which each stream is read."""
    if not isinstance(since, str):
        return [since[job_id] for job_id in job_ids]
    return [_newest(redis, stream) if since == "$" else since for stream in streams]


def _in_order(answer: _Streams) -> list[tuple[str, str, Event]]:
    """Return the entries of several streams, which Redis answers stream by stream, by time."""
    merged = [(entry, stream, event) for stream, entries in answer for entry, event in entries]
    return sorted(merged, key=lambda entry: tuple(map(int, entry[0].split("-"))))


def _newest(redis: Redis, stream: str) -> str:
    """Return the id of the last entry: "$" would be another one after each lost connection."""
    entries = cast(list[tuple[str, Event]], redis.xrevrange(stream, count=1))
    return entries[0][0] if entries else "0"
