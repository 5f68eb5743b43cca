"""Events: what happened to a job, told by the same step that changed its record.

Each has `job`, `at` (Unix seconds), `name`, `from` and `to` (equal where the state stayed), and
what the name calls for: `step`, `reason`, `attempt`, `fraction` and the like, all as text.
"""

from collections.abc import Iterator, Sequence
from typing import TypeAlias, cast

from redis import Redis
from redis.typing import KeyT, StreamIdT

from worker.records import EVENTS, Event, history_key

# XREAD blocks for this long at a time, in milliseconds: below the client's socket timeout.
BLOCK = 1_000

_Streams: TypeAlias = list[tuple[str, list[tuple[str, Event]]]]


def history(redis: Redis, job_id: str) -> Sequence[Event]:
    """Every event of this job, the oldest first."""
    entries = cast(list[tuple[str, Event]], redis.xrange(history_key(job_id)))
    return [event for _, event in entries]


def follow(
    redis: Redis, job_ids: Sequence[str] = (), *, since: str = "$"
) -> Iterator[Event | None]:
    """Events as they come, of some jobs or of all, blocking on the stream; "0": from the start.

    Yields None when nothing came for BLOCK, so that the reader can draw, look up or stop.
    """
    streams = [history_key(job_id) for job_id in job_ids] or [EVENTS]
    last: dict[KeyT, StreamIdT] = dict.fromkeys(streams, since)
    while True:
        answer = cast(_Streams, redis.xread(last, block=BLOCK, count=100))
        if not answer:
            yield None
        for stream, entries in answer:
            for entry, event in entries:
                last[stream] = entry
                yield event
